/** In the audio thread: whatever channels the microphone has, as mono chunks of `size` samples. */
class Chunks extends AudioWorkletProcessor {
  constructor({ processorOptions: { size } }) {
    super();
    this.chunk = new Float32Array(size);
    this.filled = 0;
    this.port.onmessage = () => {
      this.send(this.chunk.slice(0, this.filled));
      this.port.postMessage("end");
      this.over = true;
    };
  }

  send(chunk) {
    this.filled = 0;
    if (chunk.length) this.port.postMessage(chunk, [chunk.buffer]);
  }

  process([channels]) {
    for (let i = 0; i < (channels[0]?.length ?? 0); i++) {
      let sum = 0;
      for (const channel of channels) sum += channel[i];
      this.chunk[this.filled++] = sum / channels.length;
      if (this.filled === this.chunk.length) this.send(this.chunk.slice());
    }
    return !this.over;
  }
}

registerProcessor("chunks", Chunks);
