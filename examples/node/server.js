// A tiny site that says which version of it answers.
"use strict";

const fs = require("fs");
const http = require("http");

const VERSION = fs.readFileSync("VERSION");

const server = http.createServer((request, response) => {
  const url = new URL(request.url, "http://localhost");
  const wait = url.pathname === "/slow" ? Number(url.searchParams.get("ms")) : 0;
  setTimeout(() => response.end(VERSION), wait);
});

// Any free port, and the files that tell zdd which process and which port it is.
server.listen(0, "127.0.0.1", () => {
  fs.writeFileSync(`${process.pid}.port`, `${server.address().port}\n`);
  fs.writeFileSync("node.pid", `${process.pid}\n`);
});

// Answers what it has begun to answer, then ends.
process.once("SIGTERM", () => {
  server.close();
  server.closeIdleConnections();
});
