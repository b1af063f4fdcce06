// A client of the server that is named on the command line, beside what all scenarios share.
import { Ollama } from "ollama";

import { host } from "../shared.mjs";

export * from "../shared.mjs";
export const client = new Ollama({ host });
