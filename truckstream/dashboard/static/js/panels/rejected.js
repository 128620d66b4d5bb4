// Rejected records by reason, and the last of them.

import { byId, make, reconcile, setText } from "../dom.js";
import { fieldName, label, number } from "../text.js";

export function showRejected({ reasons, rejections, totals }) {
  const most = Math.max(1, ...reasons.map(([, count]) => count));
  const all = reasons.reduce((sum, [, count]) => sum + count, 0);
  const share = totals.records ? ` (${number((100 * all) / totals.records, 2)} %)` : "";
  setText(byId("rejected-count"), all ? `${number(all)}${share}` : "");
  byId("rejected-nothing").hidden = all > 0;
  reconcile(byId("rejected"), reasons, ([reason]) => reason, makeBar, (bar, item) => updateBar(bar, item, most));
  const [latest] = rejections;
  byId("rejected-latest").hidden = !latest;
  if (latest) {
    const text = `Last: ${label(latest.key, 40)}, ${sentenceOf(latest)}`;
    setText(byId("rejected-latest"), text);
    byId("rejected-latest").title = text;
  }
}

// "Engine temp is 151.2: must be at most 120"
export function sentenceOf({ reason, field, value, rule }) {
  if (field === null) return `${words(reason)}: ${label(rule)}`;
  if (reason === "missing_field") return `${fieldName(field)} is missing`;
  return `${fieldName(field)} is ${label(value, 40)}: ${label(rule)}`;
}

function words(reason) {
  return label(reason, 40).replaceAll("_", " ");
}

function makeBar([reason]) {
  const line = make("li");
  const bar = make("span", "bar");
  bar.append(make("i"));
  line.append(make("span", "name", words(reason)), bar, make("span", "value"));
  return line;
}

function updateBar(line, [, count], most) {
  line.children[1].firstElementChild.style.transform = `scaleX(${count / most})`;
  setText(line.children[2], number(count));
}
