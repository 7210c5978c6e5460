/** Starts the page. */

import { App } from "./app.js";

const app = new App(new URL(location.href));

// A page that is left may be kept by the browser; its participant must not be.
addEventListener("pagehide", () => app.leave());

document.body.dataset.started = ""; // `reload.js` looks for it
