// The controls of a replay: its slider, its speed, and pause.

import { byId, setText } from "../dom.js";
import { dateAndTime } from "../text.js";

export class Replay {
  constructor() {
    this.isDragged = false;
    this.isPaused = false;
    const slider = byId("replay-position");
    slider.addEventListener("input", () => {
      this.isDragged = true;
      setText(byId("replay-time"), dateAndTime(Number(slider.value)));
      slider.setAttribute("aria-valuetext", dateAndTime(Number(slider.value)));
    });
    slider.addEventListener("change", async () => {
      await send({ position: Number(slider.value) });
      this.isDragged = false;
    });
    byId("replay-speed").addEventListener("change", (event) => send({ speed: Number(event.target.value) }));
    byId("replay-pause").addEventListener("click", () => send({ paused: !this.isPaused }));
    byId("replay").addEventListener("submit", (event) => event.preventDefault());
  }

  show(replay) {
    byId("replay").hidden = !replay;
    if (!replay) return;
    this.isPaused = replay.paused;
    setText(byId("replay-pause"), replay.paused ? "Play" : "Pause");
    showSpeed(replay.speed);
    if (this.isDragged) return;
    const slider = byId("replay-position");
    slider.min = String(Math.floor(replay.first));
    slider.max = String(Math.ceil(replay.last));
    slider.value = String(Math.round(replay.position));
    slider.setAttribute("aria-valuetext", dateAndTime(replay.position));
    setText(byId("replay-time"), dateAndTime(replay.position));
  }
}

function showSpeed(speed) {
  const select = byId("replay-speed");
  if (document.activeElement === select && select.value === String(speed)) return;
  if (![...select.options].some((option) => option.value === String(speed))) {
    select.add(new Option(`${speed}×`, String(speed)));
  }
  select.value = String(speed);
}

async function send(command) {
  await fetch("replay", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(command) });
}
