/** Starts the dashboard. */

import { Api } from "./api.js";
import { Dashboard } from "./dashboard.js";

new Dashboard(new Api(new URL("../api/v1/", document.baseURI))).start();
document.body.dataset.started = ""; // `reload.js` looks for it
