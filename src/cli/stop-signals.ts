import { type StopSignal, signalExitCodes } from './exit-codes.ts'

/** Where signals come from: `process`. */
export interface SignalSource {
  on(name: StopSignal, listener: () => void): unknown
}

// npm passes a Ctrl-C on to the process, which the terminal has told already: the second one comes
// within milliseconds and is not the user's.
const echoMs = 500

/**
 * Turns the first SIGINT or SIGTERM into an abort and the second into the end of the process. Until
 * {@link StopSignals.listen} is called, signals end the process as they always do.
 */
export class StopSignals {
  readonly #source: SignalSource
  readonly #exit: (code: number) => void
  readonly #now: () => number
  readonly #controller = new AbortController()
  #first: { readonly name: StopSignal; readonly at: number } | undefined

  constructor(
    source: SignalSource,
    exit: (code: number) => void,
    now: () => number = () => performance.now(),
  ) {
    this.#source = source
    this.#exit = exit
    this.#now = now
  }

  /** The signal that asked to stop, if one did. */
  get received(): StopSignal | undefined {
    return this.#first?.name
  }

  /**
   * Takes the signals over.
   *
   * @param announce is told of the first one.
   * @returns a signal that is aborted by the first one.
   */
  listen(announce: (name: StopSignal) => void): AbortSignal {
    for (const name of ['SIGINT', 'SIGTERM'] as const) {
      this.#source.on(name, () => this.#receive(name, announce))
    }
    return this.#controller.signal
  }

  #receive(name: StopSignal, announce: (name: StopSignal) => void): void {
    const at = this.#now()
    if (this.#first === undefined) {
      this.#first = { name, at }
      announce(name)
      this.#controller.abort()
    } else if (at - this.#first.at >= echoMs) {
      this.#exit(signalExitCodes[name])
    }
  }
}
