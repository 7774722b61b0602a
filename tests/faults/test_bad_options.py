"""The command line given what it cannot use: one line, exit code 2, and nothing is written."""

import re

import pytest

from experiments import __main__ as runner

# name: (words, option in the first line, words of the first line)
OPTIONS = {
    "unknown experiment": (["cnm"], "experiment", ["'cnm'", "did you mean 'cnn'?"]),
    "misspelt option": (["cnn", "--learnig-rate", "1"], "option", ["did you mean '--learning-rate'?"]),
    "misspelt flag": (["cnn", "--batch-nrom"], "option", ["'--batch-nrom'", "did you mean '--batch-norm'?"]),
    "misspelt data set": (["cnn", "--dataset", "mnits"], "--dataset", ["'mnits'", "did you mean 'mnist'?"]),
    "word without an option": (["cnn", "fast"], "option", ["'fast'", "start with --"]),
    "value without a field": (["cnn", "--epochs"], "--epochs", ["''", "an integer"]),
    "list with words": (["list", "cnn"], "option", ["'cnn'", "nothing after 'list'"]),
    "table with options": (["table", "--lang", "fr"], "option", ["'--lang'", "nothing after 'table'"]),
    "all into nothing": (["all", "--out"], "--out", ["''", "a path"]),
    "misspelt option of all": (["all", "--sedes", "1"], "option", ["did you mean '--seeds'?"]),
    "rate that is a word": (["cnn", "--learning-rate", "fast"], "--learning-rate", ["'fast'", "a number"]),
    "rate below 0": (["cnn", "--learning-rate", "-1e-3"], "--learning-rate", ["-0.001", "> 0", "--help"]),
    "rate of 0": (["cnn", "--learning-rate", "0"], "--learning-rate", ["0.0", "> 0"]),
    "rate NaN": (["cnn", "--learning-rate", "nan"], "--learning-rate", ["nan", "a finite number"]),
    "endless rate": (["cnn", "--learning-rate", "inf"], "--learning-rate", ["inf", "a finite number"]),
    "bad value in a sweep": (["cnn", "--learning-rate", "1e-3,nan"], "--learning-rate", ["nan", "> 0"]),
    "half an epoch": (["cnn", "--epochs", "0.5"], "--epochs", ["'0.5'", "an integer"]),
    "no epochs": (["cnn", "--epochs", "0"], "--epochs", ["0", ">= 1"]),
    "epochs beyond 32 bits": (["cnn", "--epochs", str(2**40)], "--epochs", ["< 2**31"]),
    "steps beyond 32 bits": (["cnn", "--epochs", str(2**30)], "--steps", ["1..2147483647", "32 bits"]),
    "empty batch": (["cnn", "--batch-size", "0"], "--batch-size", ["0", ">= 1"]),
    "batch beyond the data": (["cnn", "--batch-size", "1006"], "--batch-size", ["1006", "1..1005"]),
    "batch beyond the data, by the host": (["cnn", "--batch-size", "1006", "--road", "host"], "--batch-size",
        ["1006", "1..1005", "smaller batch"]),
    "no seeds": (["mlp", "--seeds", "0"], "--seeds", ["0", "1..10000", "single run"]),
    "too many seeds": (["mlp", "--seeds", "10001"], "--seeds", ["10001", "1..10000"]),
    "seed below 0": (["mlp", "--seed", "-1"], "--seed", ["-1", "0..2**32-10001"]),
    "seed equal to 0 in 32 bits": (["mlp", "--seed", str(2**40)], "--seed", [str(2**40), "collide"]),
    "dropout above 1": (["mlp", "--dropout", "1.5"], "--dropout", ["1.5", "[0, 1)", "0 switches it off"]),
    "dropout below 0": (["mlp", "--dropout", "-0.1"], "--dropout", ["-0.1", "[0, 1)"]),
    "smoothing of 1": (["cnn", "--label-smoothing", "1"], "--label-smoothing", ["1.0", "[0, 1)"]),
    "lasso below 0": (["mlp", "--l1", "-1"], "--l1", ["-1.0", ">= 0"]),
    "ridge NaN": (["mlp", "--l2", "nan"], "--l2", ["nan", ">= 0"]),
    "decay below 0": (["mlp", "--weight-decay", "-1"], "--weight-decay", ["-1.0", ">= 0"]),
    "width of 0": (["mlp", "--widths", "300", "0"], "--widths", ["(300, 0)", ">= 1"]),
    "one level of two": (["cnn", "--features", "32"], "--features", ["'32'", "2 values"]),
    "kernel of 0": (["cnn", "--kernel-size", "0"], "--kernel-size", ["0", ">= 1"]),
    "rotation by 200": (["cnn", "--degrees", "200"], "--degrees", ["200.0", "0..180"]),
    "zoom by 0.95": (["cnn", "--scale", "0.95"], "--scale", ["0.95", "0.9"]),
    "no patience": (["cnn", "--patience", "0"], "--patience", ["0", ">= 1"]),
    "IDX files of nowhere": (["cnn", "--dataset", "idx"], "--data-dir", ["None", "four IDX files"]),
    "IDX files in a file": (["cnn", "--dataset", "idx", "--data-dir", "used/notes"], "--data-dir",
        ["used/notes", "t10k-labels"]),
    "a file as the run folder": (["mlp", "--out", "used/notes/run"], "--out", ["used/notes", "is a file"]),
    "a file itself": (["mlp", "--out", "used/notes"], "--out", ["used/notes", "a folder"]),
    "a used run folder": (["mlp", "--out", "used"], "--out",
        ["'used'", "a new or an empty folder", "--resume"]),
    "unwritable run folder": (["mlp", "--out", "/proc/run"], "--out", ["/proc/run", "a folder that can be"]),
    "resume of nothing": (["mlp", "--resume", "none"], "--resume", ["none", "a readable JSON file"]),
    "resume of a file": (["mlp", "--resume", "used/notes"], "--resume", ["notes", "a readable JSON file"]),
    "resume of a sweep": (["mlp", "--resume", "used", "--seeds", "1,2"], "--resume", ["'used'", "one run"]),
    "unknown environment": (["dqn", "--env", "CartPole"], "--env", ["'CartPole'", "'CartPole-v1'?"]),
    "gamma above 1": (["dqn", "--discount", "1.1"], "--discount", ["1.1", "[0, 1]"]),
    "epsilon NaN": (["dqn", "--epsilon", "nan"], "--epsilon", ["nan", "[0, 1]"]),
    "tau above 1": (["dqn", "--tau", "2"], "--tau", ["2.0", "[0, 1]"]),
    "buffer smaller than a batch": (["dqn", "--capacity", "256", "--batch-size", "512"], "--batch-size",
        ["512", "256", "enlarge the buffer"]),
    "buffer shorter than a return": (["dqn", "--n-step", "5000"], "--n-step", ["5000", "at most 1024"]),
    "buffer that does not fit": (["dqn", "--capacity", "1000"], "--capacity", ["1000", "a multiple of"]),
    "falling support": (["dqn", "--atoms", "51", "--lowest", "5", "--highest", "1"], "support",
        ["(5.0, 1.0)"]),
    "endless return": (["dqn", "--highest", "inf"], "--highest", ["inf", "a finite number"]),
    "unknown loss": (["dqn", "--loss", "hubre"], "--loss", ["'hubre'", "did you mean 'huber'?"]),
    "no environments": (["dqn", "--environments", "0"], "--environments", ["0", ">= 1"]),
    "no episodes": (["dqn", "--episodes", "0"], "--episodes", ["0", ">= 1"]),
    "no latent numbers": (["vae", "--latents", "0"], "--latents", ["(0,)", ">= 1"]),
    "unknown likelihood": (["vae", "--likelihood", "gaussain"], "--likelihood", ["did you mean 'gaussian'?"]),
    "beta below 0": (["vae", "--beta", "-1"], "--beta", ["-1.0", ">= 0"]),
    "beta of an IWAE": (["vae", "--objective", "iwae", "--beta", "2"], "beta", ["2.0", "ELBO"]),
    "unknown game": (["dcgan", "--loss", "minmax"], "--loss", ["'minmax'", "did you mean 'minimax'?"]),
    "no steps of the discriminator": (["dcgan", "--discriminator-steps", "0"], "--discriminator-steps",
        [">= 1"]),
    "unknown cell": (["names", "--cell", "ltsm"], "--cell", ["'ltsm'", "did you mean 'lstm'?"]),
    "no text": (["char_lm", "--text", "none"], "--text", ["none", "UTF-8"]),
    "temperature of 0": (["char_lm", "--temperature", "0"], "--temperature", ["0.0", "> 0"]),
    "momentum above 1": (["descent", "--momentum", "1.5"], "--momentum", ["1.5", "[0, 1)"]),
    "correlation of twins": (["lasso", "--correlation", "2"], "--correlation", ["2.0", "(-1, 1)"]),
    "start at NaN": (["divergence", "--start", "nan"], "--start", ["nan", "a finite number"]),
    "endless start": (["penalties", "--start", "inf"], "--start", ["inf", "a finite number"]),
    "endless weights": (["neuron", "--weights", "inf"], "--weights", ["inf", "a finite number"]),
    "network without inputs": (["network", "--inputs", "0"], "--inputs", ["0", ">= 1"]),
    "images that do not halve": (["network_sizes", "--side", "100"], "images", ["100", "multiples of 32"]),
    "only outliers": (["outliers", "--outliers", "1"], "--outliers", ["1.0", "[0, 0.5)"]),
    "field outside of the image": (["curve_detector", "--there", "40", "0"], "--there",
        ["(40, 0)", "inside"]),
    "part outside of the photograph": (["filters", "--top", "400"], "--top", ["inside of 427 x 640"]),
    "no gallery of that language": (["gallery", "--lang", "de"], "--lang", ["'de'", "fr"]),
    "gallery of no runs": (["gallery", "--runs", "none"], "--runs", ["none", "a folder of runs"]),
}  # fmt: skip


@pytest.mark.parametrize("case", OPTIONS)
def test_bad_options_are_refused_in_one_line(case, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "notes").write_text("mine")
    words, option, parts = OPTIONS[case]
    assert runner.main(words) == 2
    said = capsys.readouterr()
    lines = said.err.strip().splitlines()
    assert 1 <= len(lines) <= 10
    assert re.fullmatch(rf"error: .*{re.escape(option)}.*: got .+, expected .+; .+", lines[0]), lines[0]
    for part in parts:
        assert part in lines[0], f"{part!r} is missing in: {lines[0]}"
    assert "Traceback" not in said.err + said.out
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["notes", "used"], "something was written"
