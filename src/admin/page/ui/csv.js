// Lists as files: what is filtered, as CSV that a spreadsheet opens and that runs nothing there.

import { get } from "./api.js";
import { h, toast } from "./dom.js";
import { count } from "./words.js";

// More rows than a spreadsheet is comfortable with are not read.
const ROWS_MAX = 50000;
const PAGE = 500;

// A cell that a spreadsheet would take for a formula begins with a quote.
export function cell(value) {
  const text = value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);
  const harmless = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\n\r']/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}

// The columns are the fields of the rows, as the service names them.
function table(rows) {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return [names, ...rows.map((row) => names.map((name) => row[name]))].map((line) => line.map(cell).join(",")).join("\r\n");
}

// A button that reads all pages of a list and hands them over as a file.
export function csvButton(name, path, params, key) {
  const button = h("button", { type: "button", class: "small", title: "What is filtered, as a file for a spreadsheet", on: { click: () => save() } }, "CSV");
  async function save() {
    button.disabled = true;
    try {
      const rows = [];
      let before = null;
      do {
        const page = await get(path, { ...params(), limit: PAGE, before });
        rows.push(...page[key]);
        before = page.next;
      } while (before && rows.length < ROWS_MAX);
      const address = URL.createObjectURL(new Blob([`\uFEFF${table(rows)}\r\n`], { type: "text/csv;charset=utf-8" }));
      const anchor = document.createElement("a");
      anchor.href = address;
      anchor.download = `freshsignal-${name}-${new Date().toISOString().slice(0, 10)}.csv`;
      anchor.click();
      setTimeout(() => URL.revokeObjectURL(address), 10000);
      toast(before ? `The newest ${count(rows.length)} rows were saved; narrow the filter for the others` : `${count(rows.length)} rows were saved`);
    } catch (error) {
      toast(error.message);
    }
    button.disabled = false;
  }
  return button;
}
