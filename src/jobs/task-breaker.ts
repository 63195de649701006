import {
  BrokenCircuitError,
  type CircuitBreakerPolicy,
  ConsecutiveBreaker,
  circuitBreaker,
  handleWhen,
} from 'cockatiel'
import { TidemarkError } from '../core/tidemark-error.ts'
import { describeFailure } from './describe-failure.ts'
import { isPermanent } from './permanent-error.ts'

/** When a worker leaves the jobs of a task alone, because what they need is out of order. */
export interface BreakerOptions {
  /** Attempts that fail one after the other, whichever jobs they are of. */
  readonly failures: number
  /** How long none is begun then. After that one is tried by itself: it ends the rest or begins another. */
  readonly restMs: number
}

/** @throws DEFINITION_INVALID */
export function requireBreaker(task: string, breaker: BreakerOptions | undefined): void {
  if (breaker === undefined) return
  const { failures, restMs } = breaker
  const isUsable = Number.isSafeInteger(failures) && failures > 0 && restMs > 0 && restMs < Infinity
  if (isUsable) return
  const reason = 'its `breaker` needs `failures` from 1 and `restMs` above 0'
  throw new TidemarkError('DEFINITION_INVALID', `task "${task}": ${reason}`, {
    details: { name: task, reason },
  })
}

/** Says that an attempt was not begun. */
export class CircuitOpenError extends Error {
  override readonly name = 'CircuitOpenError'
  /** When another is to be tried. */
  readonly until: Date

  constructor(task: string, until: Date, cause: unknown) {
    const failure = cause === undefined ? '' : `; the last failure: ${describeFailure(cause)}`
    super(`task "${task}" is left alone until ${until.toISOString()}${failure}`)
    this.until = until
  }
}

/** Runs the attempts of one task in this process, or refuses to. */
export class TaskBreaker {
  readonly #task: string
  readonly #restMs: number
  readonly #policy: CircuitBreakerPolicy
  #openedAt = 0
  #lastFailure: unknown

  /** @param onOpen called each time attempts are left alone from now on. */
  constructor(task: string, { failures, restMs }: BreakerOptions, onOpen: () => void) {
    this.#task = task
    this.#restMs = restMs
    // What the payload is to blame for says nothing of the service.
    const isFailure = handleWhen((error) => !isPermanent(error))
    const breaker = new ConsecutiveBreaker(failures)
    this.#policy = circuitBreaker(isFailure, { halfOpenAfter: restMs, breaker })
    this.#policy.onBreak((reason) => {
      this.#openedAt = Date.now()
      this.#lastFailure = 'error' in reason ? reason.error : undefined
      onOpen()
    })
  }

  /** @throws CircuitOpenError when the attempt was not begun; what the function throws. */
  async run<T>(attempt: () => Promise<T>): Promise<T> {
    try {
      return await this.#policy.execute(attempt)
    } catch (error) {
      if (!(error instanceof BrokenCircuitError)) throw error
      const until = new Date(this.#openedAt + this.#restMs)
      throw new CircuitOpenError(this.#task, until, this.#lastFailure)
    }
  }
}
