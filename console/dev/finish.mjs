// After `vite build`: checks the budget of each first load, compresses what is worth it, and removes what only this script reads.
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const limit = 450 * 1000; // bytes, gzipped, of everything a first visit loads
const dist = new URL("../dist/", import.meta.url).pathname;
const manifest = JSON.parse(readFileSync(join(dist, ".vite/manifest.json"), "utf8"));

const packed = new Map();
for (const name of readdirSync(join(dist, "assets"))) {
  const content = readFileSync(join(dist, "assets", name));
  const gz = gzipSync(content, { level: 9 });
  packed.set(`assets/${name}`, gz.length);
  if (content.length > 1024 && gz.length < content.length * 0.9) writeFileSync(join(dist, "assets", `${name}.gz`), gz);
}
const page = gzipSync(readFileSync(join(dist, "index.html"))).length;

/** Everything that the chunks of these keys need before they run. */
function files(keys, seen = new Set()) {
  for (const key of keys) {
    const chunk = manifest[key];
    if (!chunk) throw new Error(`the build has no chunk of ${key}`);
    if (seen.has(chunk.file)) continue;
    seen.add(chunk.file);
    for (const css of chunk.css ?? []) seen.add(css);
    files(chunk.imports ?? [], seen);
  }
  return seen;
}

const loads = {
  "sign-in": ["index.html"],
  chat: ["index.html", "src/chat/ChatPage.tsx"],
  "console, home": ["index.html", "src/admin/AdminPages.tsx"],
  "console, people": ["index.html", "src/admin/AdminPages.tsx", "src/admin/people/PeoplePage.tsx"],
  "console, access": ["index.html", "src/admin/AdminPages.tsx", "src/admin/access/AccessPage.tsx"],
  "console, guests": ["index.html", "src/admin/AdminPages.tsx", "src/admin/guests/GuestsPage.tsx"],
  "my guests": ["index.html", "src/guests/MyGuestsPage.tsx"],
  "console, policies": ["index.html", "src/admin/AdminPages.tsx", "src/admin/policies/PoliciesPage.tsx"],
};
let over = false;
for (const [name, keys] of Object.entries(loads)) {
  let bytes = page;
  for (const file of files(keys)) bytes += packed.get(file) ?? 0;
  over ||= bytes > limit;
  console.log(`first load, ${name.padEnd(18)} ${(bytes / 1000).toFixed(1).padStart(6)} kB gzipped${bytes > limit ? `  OVER ${limit / 1000} kB` : ""}`);
}
if (files(["index.html"]).has(manifest["src/chat/ChatPage.tsx"].file) || files(["src/chat/ChatPage.tsx"]).has(manifest["src/admin/AdminPages.tsx"].file)) {
  console.error("chat and console are not split any more");
  over = true;
}
rmSync(join(dist, ".vite"), { recursive: true });
if (!statSync(join(dist, ".gitkeep"), { throwIfNoEntry: false })) writeFileSync(join(dist, ".gitkeep"), "");
if (over) process.exit(1);
