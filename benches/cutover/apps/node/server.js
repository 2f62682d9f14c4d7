// The site of `examples/instance` for node, with the shutdown that loses nothing.
'use strict';
const fs = require('fs');
const http = require('http');
const path = require('path');

const release = path.basename(fs.realpathSync(__dirname));
const version = fs.readFileSync(path.join(__dirname, 'VERSION'), 'utf8').trim();
const socket = process.argv[2];
let healthy = true;
let leaving = false;

const server = http.createServer((request, response) => {
  const url = new URL(request.url, 'http://app');
  let received = 0;
  request.on('data', (piece) => { received += piece.length; });
  request.on('end', () => {
    const wait = url.pathname === '/slow' ? Number(url.searchParams.get('ms') ?? 300) : 0;
    setTimeout(() => {
      const isHealth = url.pathname === '/health';
      response.statusCode = isHealth && !healthy ? 500 : 200;
      response.setHeader('X-Release', release);
      response.setHeader('X-Received', received);
      // A connection that the proxy keeps ends with an answer, never under a request.
      if (leaving) response.setHeader('Connection', 'close');
      response.end(`${isHealth ? 'ok ' : ''}${version}\n`);
    }, wait);
  });
});

// TERM: for a while answer what still comes on kept connections; then take nothing new, finish what
// was asked, and end. (`close` alone ends idle connections at once, under requests on their way.)
process.on('SIGTERM', () => {
  leaving = true;
  setTimeout(() => server.close(() => process.exit(0)), 500);
});

server.listen(socket);
