/** What one benchmark found. Fields that do not apply are null. */
export interface Measurement {
  readonly name: string
  /** Median over the runs. */
  readonly rate: number | null
  readonly unit: string | null
  /** Median over the runs of each run's rate divided by what it is against. */
  readonly ratio: number | null
  readonly against: string | null
  readonly p50Ms: number | null
  readonly p99Ms: number | null
  /** Lowest and highest ratio of a run: what the noise was. */
  readonly ratioRange: readonly [number, number] | null
  /** Median rate of what the ratio is against. */
  readonly baseRate: number | null
  /** What p50 and p99 are times of. */
  readonly timesOf: string | null
  /** Most memory that the worker's process had, in MiB. */
  readonly peakMemoryMb: number | null
  /** Most WAL that the slot kept the server from releasing, in MiB. */
  readonly retainedWalMb: number | null
}

/** How the benchmarks are to be run. */
export interface BenchSettings {
  /** A superuser's connection string; each benchmark makes a database of its own there. */
  readonly serverUrl: string
  /** How long each side of each run is measured. */
  readonly seconds: number
  readonly runs: number
  /** Events in the log for benchmarks that read one. */
  readonly events: number
  /** Events in the log that conditions are checked against. */
  readonly taggedEvents: number
  /** Events of one large transaction. */
  readonly largeEvents: number
  readonly signal: AbortSignal
  /** Tells people what goes on. */
  readonly say: (text: string) => void
}

/** One question, answered by one or more measurements. */
export interface Benchmark {
  /** Names of its measurements; each of them selects it. */
  readonly names: readonly string[]
  run(settings: BenchSettings): Promise<readonly Measurement[]>
}

/** A measurement without anything, to be filled in. */
export const emptyMeasurement: Omit<Measurement, 'name'> = {
  rate: null,
  unit: null,
  ratio: null,
  against: null,
  p50Ms: null,
  p99Ms: null,
  ratioRange: null,
  baseRate: null,
  timesOf: null,
  peakMemoryMb: null,
  retainedWalMb: null,
}
