// Small helpers for the page. Nothing here takes markup.

const found = new Map();

export function byId(id) {
  let element = found.get(id);
  if (!element) {
    element = document.getElementById(id);
    found.set(id, element);
  }
  return element;
}

// Write a text only if it differs: a screen reader and the layout see no change otherwise.
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

const SHAPES = { circle: "M6 1.5a4.500 4.500 0 1 0 .01 0z", triangle: "M6 .8 11.6 11H.4z", diamond: "M6 0l6 6-6 6-6-6z" };

export function shape(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 12 12");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", SHAPES[name]);
  svg.append(path);
  return svg;
}

// Make the children of `parent` those of `items`, in order. A child is kept while its key stays, so that focus,
// scrolling and screen readers are not disturbed.
export function reconcile(parent, items, keyOf, create, update) {
  const old = new Map();
  for (const child of parent.children) old.set(child.dataset.key, child);
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    let child = old.get(key);
    if (child) {
      old.delete(key);
    } else {
      child = create(item);
      child.dataset.key = key;
    }
    update(child, item);
    if (child === place) {
      place = place.nextElementSibling;
    } else {
      parent.insertBefore(child, place);
    }
  }
  for (const child of old.values()) child.remove();
}
