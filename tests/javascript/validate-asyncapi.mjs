// The official parser's judgement of a document: `node validate-asyncapi.mjs FILE`. Exit code 1 with a line for each error or warning.
import { Parser, fromFile } from "@asyncapi/parser";

const { document, diagnostics } = await fromFile(new Parser(), process.argv[2]).parse();
const serious = diagnostics.filter(({ severity }) => severity <= 1);
for (const { code, message, path, range } of serious) console.error(`${range.start.line + 1}: ${code}: ${message} (${path.join(".")})`);
if (!document || serious.length) process.exit(1);
console.log(JSON.stringify({ version: document.version(), channels: document.channels().length, operations: document.operations().length, messages: document.components().messages().length }));
