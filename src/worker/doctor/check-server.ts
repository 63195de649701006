import { oldestVersionNumber, type ServerFacts } from '../../db/preflight.ts'
import { ask } from '../../sequencer/integrity/ask.ts'
import { type DoctorFinding, type Examination, failure, fine, warning } from './diagnosis.ts'

/** Judges what kind of server this is. */
export function checkServer(facts: ServerFacts): DoctorFinding[] {
  return [judgeVersion(facts), judgeRecovery(facts)]
}

/** Judges whether the server can decode its WAL. */
export function checkWalLevel({ walLevel }: ServerFacts, mode: 'wal' | 'poll'): DoctorFinding {
  if (walLevel === 'logical') return fine('wal-level', 'wal_level is logical')
  const remedy = 'run: alter system set wal_level = logical; then restart the server'
  const reason =
    mode === 'poll' ? 'positions come from polling' : 'the next worker orders events by polling'
  return warning('wal-level', `wal_level is ${walLevel}: ${reason}`, remedy)
}

/**
 * Holds the server's clock against ours. Nothing is ordered by clocks; times of events and lags in
 * seconds are only as good as they are.
 *
 * @param now this machine's time, in milliseconds since 1970.
 */
export async function checkClock(
  { pool }: Examination,
  maxClockSkewMs: number,
  now: () => number,
): Promise<DoctorFinding> {
  const [before, server, after] = await ask(pool, async (client) => {
    // Once before, so that what is timed is one round trip without a connection's making.
    await client.query('select')
    const asked = now()
    const { rows } = await client.query<{ ms: number }>(
      'select (extract(epoch from clock_timestamp()) * 1000)::float8 as ms',
    )
    return [asked, rows[0]?.ms ?? 0, now()] as const
  })
  // It read its clock at some moment in between.
  const skewMs = Math.max(0, before - server, server - after)
  if (skewMs <= maxClockSkewMs) {
    return fine('clock', `the clocks of server and client are at most ${maxClockSkewMs} ms apart`)
  }
  const direction = server < before ? 'behind' : 'ahead of'
  return warning(
    'clock',
    `the server's clock is ${Math.round(skewMs)} ms ${direction} this machine's`,
    'let both machines set their clocks by NTP; positions do not depend on clocks, times do',
  )
}

function judgeVersion({ versionNumber, version }: ServerFacts): DoctorFinding {
  if (versionNumber >= oldestVersionNumber) return fine('server-version', `PostgreSQL ${version}`)
  const reason = `PostgreSQL ${version} is too old: tidemark needs 14 or newer`
  return failure('server-version', reason, 'upgrade the server')
}

function judgeRecovery({ inRecovery }: ServerFacts): DoctorFinding {
  if (!inRecovery) return fine('standby', 'the server is a primary')
  return failure(
    'standby',
    'the server is a standby: nothing can be appended or sequenced there, nor checked',
    'connect to the primary, or promote this server',
  )
}
