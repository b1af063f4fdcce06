// A model of the server that is named on the command line, through either provider, beside what all scenarios share.
import { createOllama as createOther } from "ai-sdk-ollama";
import { createOllama } from "ollama-ai-provider-v2";

import { host, model, rest } from "../common.mjs";

export * from "../common.mjs";

const options = { temperature: 0, seed: 1, num_predict: 300 };

// They differ in what the base URL is and where what Ollama alone knows goes.
const providers = {
    v2: () => createOllama({ baseURL: `${host}/api` }),
    sdk: () => createOther({ baseURL: host }),
};
const provider = providers[rest[0]]();
const thinkers = {
    v2: () => ({ model: provider(model), providerOptions: { ollama: { think: true, options } } }),
    sdk: () => ({ model: provider(model, { think: true }) }),
};

export const chosen = provider(model);
export const embedding = provider.embedding(model);
export const thinking = thinkers[rest[0]]();
// One of them sends `temperature` beside the options, where Ollama does not look for it.
const pinned = { v2: { providerOptions: { ollama: { options } } }, sdk: {} };
export const settings = { temperature: 0, maxOutputTokens: 300, maxRetries: 0, ...pinned[rest[0]] };
