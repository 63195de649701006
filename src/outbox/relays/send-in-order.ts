import type { OutboxMessage } from '../publisher.ts'
import { asPublishFailed, publishFailed } from './publish-failed.ts'

/** A message on its way. */
export interface Sending {
  readonly bytes: number
  /** Resolves when the broker has confirmed it. */
  readonly confirmed: Promise<void>
}

export interface SendOptions {
  readonly broker: string
  readonly maxInFlight: number
  /** No message is begun while so much waits for its confirmation. */
  readonly maxInFlightBytes: number
  /** How long nothing may be confirmed before the call fails. */
  readonly confirmTimeoutMs: number
}

/**
 * Sends messages, several at once, and waits until all are confirmed. A message goes out when the one before
 * of its key is confirmed: a broker may refuse one of two that travel together and take the other, and
 * then the one would come after the other. After the first failure nothing more is begun.
 *
 * @throws the first failure, when those on their way have come to an end; at once when the signal comes
 *   or nothing is confirmed for too long, and what was on its way is left to itself.
 */
export function sendInOrder(
  messages: readonly OutboxMessage[],
  send: (message: OutboxMessage) => Sending,
  options: SendOptions,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    new Sender(messages, send, options, signal, resolve, reject).start()
  })
}

class Sender {
  readonly #messages: readonly OutboxMessage[]
  readonly #send: (message: OutboxMessage) => Sending
  readonly #options: SendOptions
  readonly #signal: AbortSignal
  readonly #resolve: () => void
  readonly #reject: (error: unknown) => void
  /** Keys with a message on its way, and the messages that wait for it. */
  readonly #busy = new Map<string, OutboxMessage[]>()
  /** Messages whose turn has come because the one before was confirmed. */
  readonly #released: OutboxMessage[] = []
  #next = 0
  #inFlight = 0
  #inFlightBytes = 0
  #failure: unknown
  #isOver = false
  readonly #silence: NodeJS.Timeout

  constructor(
    messages: readonly OutboxMessage[],
    send: (message: OutboxMessage) => Sending,
    options: SendOptions,
    signal: AbortSignal,
    resolve: () => void,
    reject: (error: unknown) => void,
  ) {
    this.#messages = messages
    this.#send = send
    this.#options = options
    this.#signal = signal
    this.#resolve = resolve
    this.#reject = reject
    this.#silence = setTimeout(() => this.#endForSilence(), options.confirmTimeoutMs)
  }

  start(): void {
    this.#signal.addEventListener('abort', this.#endForAbort)
    if (this.#signal.aborted) this.#endForAbort()
    else this.#sendMore()
  }

  #sendMore(): void {
    while (!this.#isOver && this.#failure === undefined && this.#hasRoom()) {
      const message = this.#choose()
      if (message === undefined) break
      this.#begin(message)
    }
    if (this.#inFlight > 0) return
    if (this.#failure === undefined) this.#end(this.#resolve)
    else this.#end(() => this.#reject(this.#failure))
  }

  #hasRoom(): boolean {
    const { maxInFlight, maxInFlightBytes } = this.#options
    return this.#inFlight < maxInFlight && this.#inFlightBytes < maxInFlightBytes
  }

  #choose(): OutboxMessage | undefined {
    const released = this.#released.shift()
    if (released !== undefined) return released
    while (this.#next < this.#messages.length) {
      const message = this.#messages[this.#next++] as OutboxMessage
      const waiting = message.key === null ? undefined : this.#busy.get(message.key)
      if (waiting === undefined) return message
      waiting.push(message)
    }
    return undefined
  }

  #begin(message: OutboxMessage): void {
    if (message.key !== null && !this.#busy.has(message.key)) this.#busy.set(message.key, [])
    try {
      const { bytes, confirmed } = this.#send(message)
      this.#inFlight += 1
      this.#inFlightBytes += bytes
      confirmed.then(
        () => this.#confirm(message, bytes),
        (error) => this.#fail(error, bytes),
      )
    } catch (error) {
      this.#failure ??= asPublishFailed(this.#options.broker, error)
    }
  }

  #confirm(message: OutboxMessage, bytes: number): void {
    if (this.#isOver) return
    this.#silence.refresh()
    this.#inFlight -= 1
    this.#inFlightBytes -= bytes
    if (message.key !== null) this.#release(message.key)
    this.#sendMore()
  }

  #release(key: string): void {
    const next = this.#busy.get(key)?.shift()
    if (next === undefined) this.#busy.delete(key)
    else this.#released.push(next)
  }

  #fail(error: unknown, bytes: number): void {
    this.#inFlight -= 1
    this.#inFlightBytes -= bytes
    this.#failure ??= asPublishFailed(this.#options.broker, error)
    if (!this.#isOver) this.#sendMore()
  }

  #endForSilence(): void {
    const { broker, confirmTimeoutMs } = this.#options
    const reason = `nothing was confirmed for ${confirmTimeoutMs} ms`
    this.#end(() => this.#reject(publishFailed(broker, reason)))
  }

  readonly #endForAbort = () => {
    this.#end(() => this.#reject(this.#signal.reason))
  }

  #end(settle: () => void): void {
    if (this.#isOver) return
    this.#isOver = true
    clearTimeout(this.#silence)
    this.#signal.removeEventListener('abort', this.#endForAbort)
    settle()
  }
}
