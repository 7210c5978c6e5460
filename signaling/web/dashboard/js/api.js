/** The HTTP API: questions with the reader's token, and why they were not answered. */

const STORED = "rtp-relay.admin-token";

/** How long an answer may take. Milliseconds. */
const PATIENCE = 15_000;

/** @typedef {"unreachable" | "unauthorized" | "forbidden" | "missing" | "off" | "refused" | "broken"} Fault */

export class ApiError extends Error {
  /**
   * @param {Fault} fault
   * @param {string} [message] the server's own sentence
   */
  constructor(fault, message = "") {
    super(message || fault);
    this.fault = fault;
    this.sentence = message;
  }
}

/** @type {Record<number, Fault>} */
const FAULTS = { 400: "refused", 401: "unauthorized", 403: "forbidden", 404: "missing" };

export class Api {
  #root;
  #token;

  /** @param {URL} root where `live` and the others are, with a slash at its end */
  constructor(root) {
    this.#root = root;
    this.#token = stored();
  }

  get hasToken() {
    return this.#token !== "";
  }

  /** Kept until the tab is closed. @param {string} token "" to forget it */
  set token(token) {
    this.#token = token;
    store(token);
  }

  /**
   * @param {string} path below the root
   * @param {Record<string, string | number | null | undefined>} [query] the empty ones are left out
   * @param {AbortSignal} [signal]
   * @returns {Promise<any>} the answer's JSON
   * @throws {ApiError}
   */
  async get(path, query = {}, signal = undefined) {
    const response = await this.#fetch(path, query, signal);
    try {
      return await response.json();
    } catch (error) {
      throw signal?.aborted ? error : new ApiError("broken", "The answer could not be read.");
    }
  }

  /**
   * Fetches a file and gives it to the browser to be saved: a plain link could not carry the token.
   *
   * @param {string} path
   * @param {Record<string, string | number | null | undefined>} query
   * @param {string} name of the file, where the server gives none
   * @throws {ApiError}
   */
  async save(path, query, name) {
    const response = await this.#fetch(path, query);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await response.blob());
    link.download = /filename="?([\w.@ -]+)/.exec(response.headers.get("Content-Disposition") ?? "")?.[1] ?? name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }

  /**
   * @param {string} path
   * @param {Record<string, string | number | null | undefined>} query
   * @param {AbortSignal} [signal]
   */
  async #fetch(path, query, signal) {
    const url = new URL(path, this.#root);
    for (const [key, value] of Object.entries(query)) {
      if (value !== null && value !== undefined && value !== "") {
        url.searchParams.set(key, String(value));
      }
    }
    const timeout = AbortSignal.timeout(PATIENCE);
    let response;
    try {
      response = await fetch(url, {
        headers: this.#token ? { Authorization: `Bearer ${this.#token}` } : {},
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
        cache: "no-store",
      });
    } catch (error) {
      throw signal?.aborted ? error : new ApiError("unreachable");
    }
    if (!response.ok) {
      const { code, message } = await explanation(response);
      throw new ApiError(code === "history_off" ? "off" : (FAULTS[response.status] ?? "broken"), message);
    }
    return response;
  }
}

/** @param {Response} response @returns {Promise<{code: string, message: string}>} what the server says was wrong */
async function explanation(response) {
  try {
    const { error } = await response.json();
    return { code: String(error.code ?? ""), message: String(error.message ?? "") };
  } catch {
    return { code: "", message: "" }; // a proxy's own page
  }
}

function stored() {
  try {
    return sessionStorage.getItem(STORED) ?? "";
  } catch {
    return "";
  }
}

/** @param {string} token */
function store(token) {
  try {
    if (token) {
      sessionStorage.setItem(STORED, token);
    } else {
      sessionStorage.removeItem(STORED);
    }
  } catch {
    // Storage is not allowed: the token holds until the page is closed.
  }
}
