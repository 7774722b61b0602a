"use strict";
const filters = document.querySelector(".filters");
const cards = [...document.querySelectorAll("[data-decks]")];
const sections = [...document.querySelectorAll("main > section")];
const form = filters.querySelector("form");
const said = form.querySelector("output");

function fill(text, ...values) {
  return values.reduce((filled, value) => filled.replace("{}", value), text);
}

function filter() {
  const chosen = new FormData(form);
  const deck = chosen.get("deck"), state = chosen.get("state");
  for (const card of cards) {
    const inDeck = !deck || card.dataset.decks.split(" ").includes(deck);
    card.hidden = !inDeck || Boolean(state && card.dataset.state !== state);
  }
  for (const section of sections) {
    const own = [...section.querySelectorAll("[data-decks]")];
    section.hidden = own.length > 0 && own.every((card) => card.hidden);
  }
  const articles = cards.filter((card) => card.tagName === "ARTICLE");
  const shown = articles.filter((card) => !card.hidden);
  said.textContent = fill(said.dataset.text, shown.length, articles.length);
}

filters.hidden = false;
form.addEventListener("change", filter);
form.addEventListener("reset", () => setTimeout(filter));
filter();
// A link into the page shows its row, whatever the filters hide.
addEventListener("hashchange", () => {
  const target = document.querySelector(location.hash || "body");
  if (target && target.closest("[hidden]")) {
    form.reset();
    setTimeout(() => target.scrollIntoView());
  }
});

// A table that is wider than the screen can be scrolled with the keyboard.
function reach() {
  for (const box of document.querySelectorAll(".scroll")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
}
addEventListener("resize", reach);
reach();

for (const film of document.querySelectorAll(".film")) {
  const image = film.querySelector("img"), slider = film.querySelector("input");
  const button = film.querySelector("button"), place = film.querySelector("output");
  const frames = JSON.parse(film.dataset.frames);
  let timer = 0, loaded = [];

  function show(number) {
    slider.value = number;
    image.src = frames[number - 1];
    const text = fill(place.dataset.text, number, frames.length);
    place.textContent = text;
    slider.setAttribute("aria-valuetext", text);
  }

  function load() {
    if (!loaded.length) loaded = frames.map((source) => Object.assign(new Image(), { src: source }));
  }

  function stop() {
    clearInterval(timer);
    timer = 0;
    button.textContent = button.dataset.play;
  }

  function play() {
    load();
    if (Number(slider.value) === frames.length) show(1);
    button.textContent = button.dataset.pause;
    timer = setInterval(() => {
      show(Number(slider.value) + 1);
      if (Number(slider.value) === frames.length) stop();
    }, 150);
  }

  film.querySelector(".controls").hidden = false;
  slider.addEventListener("input", () => { stop(); load(); show(Number(slider.value)); });
  button.addEventListener("click", () => (timer ? stop() : play()));
  addEventListener("beforeprint", () => { stop(); show(frames.length); });
}
