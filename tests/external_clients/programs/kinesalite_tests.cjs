// Loaded before mocha in a checkout of kinesalite: its tests start truckstream.local where they would start kinesalite.
//
//     git clone <kinesalite> && cd kinesalite && npm install
//     AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local PYTHON=<of an environment with truckstream[local]> \
//         npx mocha --exit --require <this file> --require should --timeout 4s --grep ExpiredIterator --invert
//
// Its author wrote them against the service itself, between 2013 and 2020. They are in its repository and not in its
// npm package, so that this is no test of ours but a command. The one left out waits for five minutes.
const Module = require('node:module');
const path = require('node:path');
const { spawn } = require('node:child_process');

const load = Module._load;
const index = path.join(process.cwd(), 'index.js');

function truckstream() {
  let child;
  return {
    listen(port, done) {
      const options = JSON.stringify({ port, quotas: false, transition_seconds: 0.5, credentials: [{}] });
      const words = ['-m', 'truckstream.local', '--while-stdin-is-open', `--options=${options}`];
      child = spawn(process.env.PYTHON || 'python', words, { stdio: ['pipe', 'pipe', 'inherit'] });
      child.stdout.once('data', () => done());
      child.once('error', done);
    },
    close(done) {
      child.once('exit', () => done());
      child.stdin.end();
    },
  };
}

Module._load = function (request, parent, ...rest) {
  if (parent && Module._resolveFilename(request, parent, ...rest) === index) return truckstream;
  const loaded = load.call(this, request, parent, ...rest);
  if (request !== 'aws4') return loaded;
  // The signer cannot tell service and region from the address, which is not AWS's.
  return { sign: (options) => loaded.sign(Object.assign(options, { service: 'kinesis', region: 'us-east-1' })) };
};
