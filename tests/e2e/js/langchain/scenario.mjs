// A chat model of the server that is named on the command line, beside what all scenarios share.
import { ChatOllama } from "@langchain/ollama";

import { host as baseUrl, model } from "../common.mjs";

export * from "../common.mjs";
export { baseUrl };
export const chat = (fields = {}) =>
    new ChatOllama({ baseUrl, model, temperature: 0, seed: 1, numPredict: 300, maxRetries: 0, ...fields });
