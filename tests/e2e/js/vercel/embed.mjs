import { embed, embedMany } from "ai";

import { embedding as model, report } from "./scenario.mjs";

const one = await embed({ model, value: "one", maxRetries: 0 });
const many = await embedMany({ model, values: ["one", "two"], maxRetries: 0 });
report({ one: one.embedding, many: many.embeddings, tokens: [one.usage.tokens, many.usage.tokens] });
