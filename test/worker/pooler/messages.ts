/**
 * Cuts a stream of bytes into messages of the protocol, each with its type and length in front
 * (https://www.postgresql.org/docs/current/protocol-message-formats.html).
 */
export class Messages {
  readonly #take: (type: string, message: Buffer) => void
  #rest: Buffer = Buffer.alloc(0)

  constructor(take: (type: string, message: Buffer) => void) {
    this.#take = take
  }

  push(data: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, data])
    while (this.#rest.length >= 5) {
      const length = this.#rest.readInt32BE(1) + 1
      if (this.#rest.length < length) return
      const message = this.#rest.subarray(0, length)
      this.#rest = this.#rest.subarray(length)
      this.#take(String.fromCharCode(message[0] ?? 0), message)
    }
  }
}
