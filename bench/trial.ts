import type { BenchSettings, Measurement } from './benchmark.ts'
import { median, percentile } from './statistics.ts'

/** One run of one side. */
export interface Trial {
  /** Per second. */
  readonly rate: number
  readonly p50Ms: number | null
  readonly p99Ms: number | null
}

/** Two sides, measured by turns. */
export interface Contest {
  readonly name: string
  readonly base: () => Promise<Trial>
  readonly ours: () => Promise<Trial>
}

/** Sums up the times that a run saw. */
export function toTrial(rate: number, timesMs: readonly number[]): Trial {
  return { rate, p50Ms: percentile(timesMs, 0.5), p99Ms: percentile(timesMs, 0.99) }
}

/** Takes the medians of what the runs of one side found. */
export function summarize(
  trials: readonly Trial[],
): Pick<Measurement, 'rate' | 'p50Ms' | 'p99Ms'> & { readonly rate: number } {
  return {
    rate: median(trials.map((trial) => trial.rate)),
    p50Ms: medianOrNull(trials.map((trial) => trial.p50Ms)),
    p99Ms: medianOrNull(trials.map((trial) => trial.p99Ms)),
  }
}

/** What comes of comparing two sides. */
export type Comparison = Pick<
  Measurement,
  'rate' | 'ratio' | 'p50Ms' | 'p99Ms' | 'ratioRange' | 'baseRate'
>

/**
 * Measures both sides by turns, base first, so that what slows the machine down for some seconds
 * slows both.
 */
export async function compare(settings: BenchSettings, contest: Contest): Promise<Comparison> {
  const bases: Trial[] = []
  const ours: Trial[] = []
  await repeat(settings, contest.name, async () => {
    bases.push(await contest.base())
    ours.push(await contest.ours())
  })
  return contrast(bases, ours)
}

/** Compares the two sides within each run; then one odd run does not move the median. */
export function contrast(bases: readonly Trial[], ours: readonly Trial[]): Comparison {
  const ratios = ours.map((trial, run) => trial.rate / (bases[run]?.rate ?? Number.NaN))
  return {
    ...summarize(ours),
    ratio: median(ratios),
    ratioRange: [Math.min(...ratios), Math.max(...ratios)],
    baseRate: summarize(bases).rate,
  }
}

/** Does something as often as there are to be runs. @throws the signal's reason when aborted. */
export async function repeat(
  settings: BenchSettings,
  name: string,
  body: (run: number) => Promise<void>,
): Promise<void> {
  const { runs, signal, say } = settings
  for (let run = 1; run <= runs; run += 1) {
    signal.throwIfAborted()
    say(`${name}: run ${run} of ${runs}`)
    await body(run)
  }
  signal.throwIfAborted()
}

function medianOrNull(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null)
  return known.length === 0 ? null : median(known)
}
