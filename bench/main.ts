import { writeFile } from 'node:fs/promises'
import { Command, InvalidArgumentError } from 'commander'
import { startEmbeddedPostgres } from '../src/testing/embedded-postgres.ts'
import type { Benchmark, BenchSettings, Measurement } from './benchmark.ts'
import { benchmarks } from './benchmarks.ts'
import { chooseBenchmarks } from './choose-benchmarks.ts'
import { formatJson, formatReport } from './report.ts'
import { readSurroundings } from './surroundings.ts'

/** Measures. See `bench/README.md`. */

interface Options {
  readonly json?: string
  readonly databaseUrl?: string
  readonly seconds: number
  readonly runs: number
  readonly events: number
  readonly taggedEvents: number
  readonly largeEvents: number
}

const program = new Command('bench')
  .argument('[names...]', 'benchmarks, by name or by how names begin; none: all')
  .option('--json <file>', 'write the results for programs')
  .option('--database-url <url>', "a superuser's URL of another server than an embedded one")
  .option('--seconds <n>', 'how long each side of a run is measured', positive, 3)
  .option('--runs <n>', 'how often', wholeNumber, 5)
  .option('--events <n>', 'events in the log that projections read', wholeNumber, 200_000)
  .option('--tagged-events <n>', 'events in the log of conditions', wholeNumber, 1_000_000)
  .option('--large-events <n>', 'events of one large transaction', wholeNumber, 5_000_000)
  .parse()

const options = program.opts<Options>()
const { chosen, unknown } = chooseBenchmarks(benchmarks, program.args)
if (unknown.length > 0) {
  const names = benchmarks.flatMap((benchmark) => benchmark.names).join(', ')
  program.error(`no benchmark is named "${unknown.join('", "')}"; there are: ${names}`, {
    exitCode: 2,
  })
}

// Once each: whoever interrupts a second time wants out. The server and workers then stop by
// themselves, because they watch this process.
const interrupted = new AbortController()
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.once(name, () => interrupted.abort(new Error(`interrupted by ${name}`)))
}

try {
  await main(chosen, options, interrupted.signal)
} catch (error) {
  console.error(interrupted.signal.aborted ? 'interrupted' : error)
  process.exitCode = interrupted.signal.aborted ? 130 : 1
}

async function main(
  chosen: readonly Benchmark[],
  { json, databaseUrl, ...sizes }: Options,
  signal: AbortSignal,
): Promise<void> {
  await using server = await obtainServer(databaseUrl)
  const say = (text: string) => console.error(text)
  const { serverUrl } = server
  const surroundings = await readSurroundings(serverUrl)
  const measurements = await runAll(chosen, {
    ...sizes,
    serverUrl,
    signal,
    say,
  })
  console.log(formatReport(surroundings, measurements, new Date()))
  if (json !== undefined) await writeFile(json, formatJson(surroundings, measurements))
}

async function runAll(
  chosen: readonly Benchmark[],
  settings: BenchSettings,
): Promise<readonly Measurement[]> {
  const measurements: Measurement[] = []
  for (const benchmark of chosen) {
    settings.signal.throwIfAborted()
    measurements.push(...(await benchmark.run(settings)))
  }
  return measurements
}

async function obtainServer(
  databaseUrl: string | undefined,
): Promise<AsyncDisposable & { readonly serverUrl: string }> {
  if (databaseUrl !== undefined) {
    return { serverUrl: databaseUrl, [Symbol.asyncDispose]: async () => {} }
  }
  const server = await startEmbeddedPostgres({ durable: true })
  return { serverUrl: server.connectionString, [Symbol.asyncDispose]: () => server.stop() }
}

function positive(text: string): number {
  const value = Number(text)
  if (!(value > 0 && Number.isFinite(value))) throw new InvalidArgumentError('not above 0')
  return value
}

function wholeNumber(text: string): number {
  const value = positive(text)
  if (!Number.isSafeInteger(value)) throw new InvalidArgumentError('not a whole number from 1')
  return value
}
