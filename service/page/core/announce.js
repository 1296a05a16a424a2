// What a screen reader is told while nothing on the page takes the focus; not more often than one can listen.

const LEAST_MS = 4000;

let last = 0;
let waiting = null;

/** Say something now. */
export function announce(text) {
  clearTimeout(waiting);
  last = Date.now();
  document.getElementById("announcer").textContent = text;
}

/** Say something unless something newer comes within a few seconds; for progress. */
export function announceSoon(text) {
  clearTimeout(waiting);
  waiting = setTimeout(() => announce(text), Math.max(0, last + LEAST_MS - Date.now()));
}
