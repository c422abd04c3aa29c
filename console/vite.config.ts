/// <reference types="vitest/config" />
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The server behind `npm run dev`: a real one, or the mock (node dev/mock.mjs).
const server = process.env["ROLLCALL_URL"] ?? "http://127.0.0.1:8480";

export default defineConfig({
  plugins: [react()],
  // console.go puts a fresh nonce into each answer in place of this mark.
  html: { cspNonce: "__CSP_NONCE__" },
  build: {
    manifest: true, // read by dev/finish.mjs, which then removes it
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1500,
  },
  server: {
    proxy: {
      "/api": { target: server, ws: true },
      "/auth": { target: server },
    },
  },
  test: { include: ["src/**/*.test.ts"], environment: "node" },
});
