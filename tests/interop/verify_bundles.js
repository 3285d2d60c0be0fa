// Holds every bundle of a folder against Sigstore's own verifier, then the same bundle with one flipped bit in statement,
// signature, proof and head: each must be refused.
// Usage: node verify_bundles.js DIR [DIR...]; each DIR has trusted-root.json and bundles/bundles.json.
'use strict';

const fs = require('fs');
const path = require('path');
const crypto = require('crypto');
const { bundleFromJSON } = require('@sigstore/bundle');
const { TrustedRoot } = require('@sigstore/protobuf-specs');
const { Verifier, toSignedEntity, toTrustMaterial } = require('@sigstore/verify');

const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');  // RFC 8410

function readJson(...parts) {
  return JSON.parse(fs.readFileSync(path.join(...parts), 'utf8'));
}

function verify(bundle, root, publicKeyHex) {
  const key = crypto.createPublicKey({
    key: Buffer.concat([SPKI_PREFIX, Buffer.from(publicKeyHex, 'hex')]), format: 'der', type: 'spki'});
  const trust = toTrustMaterial(TrustedRoot.fromJSON(root), () => ({ publicKey: key, validFor: () => true }));
  const options = { tlogThreshold: 1, ctlogThreshold: 0, timestampThreshold: 0 };
  new Verifier(trust, options).verify(toSignedEntity(bundleFromJSON(bundle)));
}

function flipBase64(text, position) {
  const bytes = Buffer.from(text, 'base64');
  bytes[position < 0 ? bytes.length + position : position] ^= 1;
  return bytes.toString('base64');
}

// Line `line` of a note, its last base64 word flipped at byte `position`.
function flipNote(note, line, position) {
  const lines = note.split('\n');
  const words = lines[line].split(' ');
  words.push(flipBase64(words.pop(), position));
  lines[line] = words.join(' ');
  return lines.join('\n');
}

const TAMPERINGS = {
  'statement': (b) => { b.dsseEnvelope.payload = flipBase64(b.dsseEnvelope.payload, 40); },
  'signature': (b) => { b.dsseEnvelope.signatures[0].sig = flipBase64(b.dsseEnvelope.signatures[0].sig, 3); },
  'leaf': (b) => { const t = b.verificationMaterial.tlogEntries[0];
    t.canonicalizedBody = flipBase64(t.canonicalizedBody, -20); },
  'proof': (b) => { const p = b.verificationMaterial.tlogEntries[0].inclusionProof;
    // In a log of one record the proof is empty, and must be.
    if (p.hashes.length === 0) { p.hashes.push(Buffer.alloc(32).toString('base64')); return; }
    p.hashes[0] = flipBase64(p.hashes[0], 7); },
  'index': (b) => { const p = b.verificationMaterial.tlogEntries[0].inclusionProof;
    p.logIndex = String(Number(p.logIndex) ^ 1); },
  'head, root': (b) => { const c = b.verificationMaterial.tlogEntries[0].inclusionProof.checkpoint;
    c.envelope = flipNote(c.envelope, 2, 5); },
  'head, size': (b) => { const c = b.verificationMaterial.tlogEntries[0].inclusionProof.checkpoint;
    const lines = c.envelope.split('\n'); lines[1] = String(Number(lines[1]) + 1); c.envelope = lines.join('\n'); },
  'head, signature': (b) => { const c = b.verificationMaterial.tlogEntries[0].inclusionProof.checkpoint;
    c.envelope = flipNote(c.envelope, 4, -1); },
};

function sizeOf(dir) {
  return Number(fs.readFileSync(path.join(dir, 'tiles', 'checkpoint'), 'utf8').split('\n')[1]);
}

function refuses(bundle, root, key) {
  try {
    verify(bundle, root, key);
  } catch {
    return true;
  }
  return false;
}

function checkDirectory(dir) {
  if (!fs.existsSync(path.join(dir, 'trusted-root.json')) && sizeOf(dir) === 0) {
    console.log(`${dir}: a head alone, nothing for a bundle to say`);
    return;
  }
  const root = readJson(dir, 'trusted-root.json');
  const list = readJson(dir, 'bundles', 'bundles.json');
  let refused = 0;
  for (const { file, public_key: key, type } of list) {
    verify(readJson(dir, 'bundles', file), root, key);
    for (const [what, tamper] of Object.entries(TAMPERINGS)) {
      const bundle = readJson(dir, 'bundles', file);
      tamper(bundle);
      if (!refuses(bundle, root, key)) {
        throw new Error(`${file} (${type}): accepted with a flipped ${what}`);
      }
      refused += 1;
    }
  }
  if (list.length === 0) {
    throw new Error(`${dir}: no bundle`);
  }
  console.log(`${dir}: ${list.length} bundles verified, ${refused} tampered ones refused`);
}

for (const dir of process.argv.slice(2)) {
  checkDirectory(dir);
}
