// Texts and numbers for people. Every text that comes from a record passes `label`: it is written as text, never as
// markup, and characters that hide, or that change the order of others, are shown as escapes.

const HIDDEN = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}]/gu;

export function label(text, longest = 80) {
  const whole = String(text);
  const cut = whole.length > longest ? `${whole.slice(0, longest)}…` : whole;
  return cut.replace(HIDDEN, (each) => `\\u{${each.codePointAt(0).toString(16)}}`);
}

const formats = new Map();

export function number(value, digits = 0) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (Math.abs(value) >= 1e12) return value.toExponential(2);
  let format = formats.get(digits);
  if (!format) {
    format = new Intl.NumberFormat("en", { maximumFractionDigits: digits, minimumFractionDigits: 0 });
    formats.set(digits, format);
  }
  return format.format(value);
}

const SIZES = ["B", "KiB", "MiB", "GiB", "TiB"];

export function bytes(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  let size = value;
  let unit = 0;
  while (size >= 1024 && unit < SIZES.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${number(size, size < 10 && unit > 0 ? 1 : 0)} ${SIZES[unit]}`;
}

export function seconds(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (value >= 3600) return `${number(value / 3600, 1)} h`;
  if (value >= 120) return `${number(value / 60)} min`;
  return `${number(value, value < 10 ? 1 : 0)} s`;
}

export function clock(time) {
  return new Date(time * 1000).toLocaleTimeString("en-GB");
}

export function dateAndTime(time) {
  return `${new Date(time * 1000).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

const NAMES = {
  tire_pressure_fl: "Tyre, front left", tire_pressure_fr: "Tyre, front right",
  tire_pressure_rl: "Tyre, rear left", tire_pressure_rr: "Tyre, rear right",
  truck_id: "Truck", engine_rpm: "Engine speed", miles_since_maintenance: "Since maintenance",
};

export function fieldName(field) {
  if (Object.hasOwn(NAMES, field)) return NAMES[field];
  const words = label(field, 40).replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}
