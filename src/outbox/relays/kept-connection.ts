import { publishFailed } from './publish-failed.ts'

/**
 * A connection that is made when it is first needed, and again when it was lost. One at a time; none is
 * made after the end.
 */
export class KeptConnection<T> implements AsyncDisposable {
  readonly #broker: string
  readonly #open: () => Promise<T>
  readonly #close: (connection: T) => Promise<unknown>
  #current: Promise<T> | undefined
  #made: T | undefined
  readonly #disposed = new AbortController()

  constructor(broker: string, open: () => Promise<T>, close: (connection: T) => Promise<unknown>) {
    this.#broker = broker
    this.#open = open
    this.#close = close
  }

  /** Comes when the caller's signal does, or when this is disposed of: its reason is then PUBLISH_FAILED. */
  endOf(signal: AbortSignal): AbortSignal {
    return AbortSignal.any([signal, this.#disposed.signal])
  }

  /** Gives the connection, or the reason why there is none. When the signal comes it goes on being made. */
  async use(signal: AbortSignal): Promise<T> {
    this.#disposed.signal.throwIfAborted()
    this.#current ??= this.#connect()
    return unlessAborted(this.#current, signal)
  }

  /** Says that a connection is lost: the next use makes another. */
  forget(connection: T): void {
    if (this.#made !== connection) return
    this.#current = undefined
    this.#made = undefined
  }

  /** Closes a connection that is not to be used again. */
  async drop(connection: T): Promise<void> {
    this.forget(connection)
    await this.#close(connection).catch(() => {})
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed.abort(publishFailed(this.#broker, 'the publisher is disposed of'))
    const connection = await this.#current?.catch(() => undefined)
    this.#current = undefined
    if (connection !== undefined) await this.#close(connection).catch(() => {})
  }

  #connect(): Promise<T> {
    const connecting = this.#open()
    connecting.then(
      (connection) => {
        this.#made = connection
      },
      () => {
        this.#current = undefined
      },
    )
    return connecting
  }
}

/** Waits for something, or throws the signal's reason; what is waited for goes on. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  const aborted = Promise.withResolvers<never>()
  const abort = () => aborted.reject(signal.reason)
  signal.addEventListener('abort', abort)
  try {
    return await Promise.race([work, aborted.promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
