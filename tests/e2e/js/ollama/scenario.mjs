// A client of the server that is named on the command line, beside what all scenarios share.
import { Ollama } from "ollama";

import { host } from "../common.mjs";

export * from "../common.mjs";
export const client = new Ollama({ host });
