// The page of viewer_test.py: the viewer once for each path, and a word when all have drawn.
import React from 'react';
import {createRoot} from 'react-dom/client';
import {App} from '@h5web/app';
import {H5WasmBufferProvider} from '@h5web/h5wasm';
import '@h5web/app/styles.css';

async function begin() {
  const buffer = await (await fetch('results.h5')).arrayBuffer(), boxes = [];
  for (const path of await (await fetch('paths.json')).json()) {
    const box = document.createElement('div');
    box.className = 'viewer';
    box.dataset.path = path;
    document.body.append(box);
    boxes.push(box);
    createRoot(box).render(
      <H5WasmBufferProvider filename="results.h5" buffer={buffer.slice(0)}><App initialPath={path} /></H5WasmBufferProvider>);
  }
  const isReady = box => box.querySelector('canvas, table, pre, [role=alert]') && !box.textContent.includes('Loading');
  const wait = setInterval(() => {
    if (!boxes.every(isReady)) return;
    clearInterval(wait);
    setTimeout(() => fetch('ready'), 1000);
  }, 200);
}

begin();
