"""Fetching a file whose content is known: verified before it gets its name."""

import hashlib
import http.client
import os
import queue
import threading
import urllib.request
from pathlib import Path
from typing import Any

from jaxdl.errors import InputError, require


def fetch(url: str, path: Path, sha256: str, remedy: str, timeout: float = 5) -> None:
    """Download `url` to `path`, unless the file is there already.

    The bytes are compared with the digest, written under another name and renamed, so that
    neither a broken connection nor a wrong answer leaves a file behind.

    Args:
        url: where from.
        path: the file; its folder is made if missing.
        sha256: digest of the right content, in hex.
        remedy: what else to do, for the error messages.
        timeout: seconds without an answer after which the network is taken to be missing.

    Raises:
        InputError: without network, for a wrong digest, or if the file cannot be written.
    """
    if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
        return
    field = f"download {url}"
    try:
        with _open(url, timeout) as answer:
            content = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise InputError(field, str(error), "an answer from the network", remedy) from None
    found = hashlib.sha256(content).hexdigest()
    require(found == sha256, field, f"sha256 {found[:8]}…", f"sha256 {sha256[:8]}…", remedy)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            unfinished.write_bytes(content)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        raise InputError("data_dir", str(error), "a folder that can be written", remedy) from None


def _open(url: str, timeout: float) -> Any:
    """`urlopen` that gives up after `timeout` seconds in all.

    Its own timeout counts anew for each address of the host and not at all for looking up the
    name; behind a firewall that drops packets this adds up to minutes.
    """
    answers: queue.Queue[Any] = queue.Queue()

    def work() -> None:
        try:
            answers.put(urllib.request.urlopen(url, timeout=timeout))
        except Exception as error:  # whatever it is, the caller's thread raises it
            answers.put(error)

    threading.Thread(target=work, daemon=True).start()
    try:
        answer = answers.get(timeout=timeout)
    except queue.Empty:
        raise TimeoutError(f"no answer within {timeout:g} s") from None
    if isinstance(answer, Exception):
        raise answer
    return answer
