// Puts the assets into static/ under names that say what is in them, and writes down which.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { parse } from "node:path";

const manifest = {};
mkdirSync("static", { recursive: true });
for (const file of readdirSync("assets")) {
  const { name, ext } = parse(file);
  if (ext === ".mjs") continue;
  const text = readFileSync(`assets/${file}`);
  const hash = createHash("sha256").update(text).digest("hex").slice(0, 8);
  manifest[file] = `${name}.${hash}${ext}`;
  writeFileSync(`static/${manifest[file]}`, text);
}
writeFileSync("static/manifest.json", JSON.stringify(manifest));
