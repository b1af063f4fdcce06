// The embeddings class and the plain text model.
import { Ollama, OllamaEmbeddings } from "@langchain/ollama";

import { baseUrl, gathered, model, question, report } from "./scenario.mjs";

const embeddings = new OllamaEmbeddings({ baseUrl, model, maxRetries: 0 });
const llm = new Ollama({ baseUrl, model, temperature: 0, seed: 1, numPredict: 30, maxRetries: 0 });
report({
    query: await embeddings.embedQuery("one"),
    documents: await embeddings.embedDocuments(["one", "two"]),
    whole: await llm.invoke(question),
    parts: await gathered(await llm.stream(question)),
});
