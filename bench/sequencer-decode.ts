import { LogicalReplicationService, PgoutputPlugin } from 'pg-logical-replication'
import { logNames } from '../src/db/log-names.ts'
import { createBenchDatabase } from './bench-database.ts'
import {
  type Benchmark,
  type BenchSettings,
  emptyMeasurement,
  type Measurement,
} from './benchmark.ts'
import { listen } from './listen.ts'
import { contrast, repeat, type Trial } from './trial.ts'
import { startWorkerProcess } from './worker-process.ts'

const name = 'sequencer/decode'
const mostCommits = 100_000

/** Commits a second that a worker sequences from a backlog, beside what its library merely decodes. */
export const sequencerDecodeBenchmark: Benchmark = {
  names: [name],
  run: async (settings) => [await decode(settings)],
}

async function decode(settings: BenchSettings): Promise<Measurement> {
  const { serverUrl, events, signal } = settings
  const commits = Math.min(events, mostCommits)
  await using database = await createBenchDatabase(serverUrl)
  const { connectionString, execute } = database
  const slot = `bench_${new URL(connectionString).pathname.slice(-8)}`
  await execute(`select pg_create_logical_replication_slot('${slot}', 'pgoutput')`)
  {
    await using _maker = await startWorkerProcess({ connectionString, keys: null }, signal)
  }
  const decoded: Trial[] = []
  const sequenced: Trial[] = []
  try {
    await repeat(settings, name, async (run) => {
      await execute(commitMany(run, commits))
      await database.settle()
      decoded.push(toRate(commits, await decodeAlone(connectionString, slot, commits)))
      sequenced.push(toRate(commits, await sequence(connectionString, run, commits, signal)))
    })
  } finally {
    await execute(`select pg_drop_replication_slot('${slot}')`)
  }
  return {
    ...emptyMeasurement,
    name,
    ...contrast(decoded, sequenced),
    unit: 'commits/s',
    against: 'decoded by pg-logical-replication alone',
  }
}

/** Appends past the functions, by the server itself: one event a commit. */
function commitMany(run: number, commits: number): string {
  return `do $$
    begin
      perform set_config('synchronous_commit', 'off', false);
      for i in 1..${commits} loop
        insert into tidemark.events (stream_id, version, event_id, type, data)
        values ('account-${run}-' || i, 1, gen_random_uuid(), 'account.credited', '{"account": 1}');
        commit;
      end loop;
    end $$`
}

function toRate(commits: number, elapsedMs: number): Trial {
  return { rate: (commits * 1_000) / elapsedMs, p50Ms: null, p99Ms: null }
}

/** @returns milliseconds from the first message to the last commit. */
async function decodeAlone(
  connectionString: string,
  slot: string,
  commits: number,
): Promise<number> {
  const service = new LogicalReplicationService(
    { connectionString },
    { acknowledge: { auto: false, timeoutSeconds: 0 } },
  )
  const plugin = new PgoutputPlugin({
    protoVersion: 1,
    publicationNames: [logNames().publication],
  })
  let beganMs = 0
  let seen = 0
  const done = Promise.withResolvers<number>()
  service.on('error', done.reject)
  service.on('data', (lsn: string, message: { tag: string }) => {
    if (beganMs === 0) beganMs = performance.now()
    if (message.tag !== 'commit') return
    seen += 1
    if (seen < commits) return
    const elapsedMs = performance.now() - beganMs
    void service.acknowledge(lsn).then(() => done.resolve(elapsedMs))
  })
  service.subscribe(plugin, slot).catch(done.reject)
  try {
    return await done.promise
  } finally {
    await service.stop()
  }
}

/** @returns milliseconds that the worker took, from the first ledger rows to the last, for all commits. */
async function sequence(
  connectionString: string,
  run: number,
  commits: number,
  signal: AbortSignal,
): Promise<number> {
  await using listener = await listen(connectionString)
  await using _worker = await startWorkerProcess({ connectionString, keys: null }, signal)
  const first = await listener.heard(0, signal)
  const last = await listener.heard(run * commits, signal)
  const share = (last.position - first.position) / commits
  return (last.atMs - first.atMs) / share
}
