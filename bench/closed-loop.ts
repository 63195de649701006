import type { BenchSettings } from './benchmark.ts'
import { type Trial, toTrial } from './trial.ts'

/** One call of one writer. */
export type Call = (writer: number) => Promise<unknown>

/** Share of a run's seconds that goes ahead of it unmeasured: connections, plans, hot code. */
const warmUpShare = 0.25

export interface ClosedLoop {
  readonly writers: number
  /** What one call counts for. */
  readonly perCall: number
  readonly call: Call
}

/**
 * Measures calls per second of writers that each begin the next call when the last one is
 * answered, after a warm-up.
 */
export async function closedLoop(settings: BenchSettings, loop: ClosedLoop): Promise<Trial> {
  await warmUp(settings, loop)
  return measure(settings, loop)
}

/** Does what {@link measure} does for a shorter time, and forgets it. */
export async function warmUp(settings: BenchSettings, loop: ClosedLoop): Promise<void> {
  await runFor(settings.seconds * warmUpShare, settings, loop)
}

/** Measures without a warm-up. */
export async function measure(settings: BenchSettings, loop: ClosedLoop): Promise<Trial> {
  const { elapsedMs, timesMs } = await runFor(settings.seconds, settings, loop)
  return toTrial((timesMs.length * loop.perCall * 1_000) / elapsedMs, timesMs)
}

async function runFor(
  seconds: number,
  { signal }: BenchSettings,
  { writers, call }: ClosedLoop,
): Promise<{ elapsedMs: number; timesMs: readonly number[] }> {
  const timesMs: number[] = []
  const began = performance.now()
  const write = async (writer: number) => {
    for (let now = began; now < began + seconds * 1_000 && !signal.aborted; ) {
      const before = performance.now()
      await call(writer)
      now = performance.now()
      timesMs.push(now - before)
    }
  }
  await Promise.all(Array.from({ length: writers }, (_, writer) => write(writer)))
  signal.throwIfAborted()
  return { elapsedMs: performance.now() - began, timesMs }
}
