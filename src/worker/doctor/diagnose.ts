import { connect, createPool } from '../../db/connect.ts'
import { logNames } from '../../db/log-names.ts'
import { readServerFacts } from '../../db/preflight.ts'
import type { AnyProjection } from '../../projections/projection.ts'
import { defaultGraceMs, takeSnapshot } from '../../sequencer/integrity/give-grace.ts'
import type { SequencerState } from '../../sequencer/sequencer-state.ts'
import { checkLocks } from './check-locks.ts'
import { checkCluster, checkPrivileges, findLog } from './check-log.ts'
import { checkPooler } from './check-pooler.ts'
import { checkProjections } from './check-projections.ts'
import { checkReplication } from './check-replication.ts'
import { checkLeader, checkMode, checkUnsequenced } from './check-sequencing.ts'
import { checkClock, checkServer, checkWalLevel } from './check-server.ts'
import { checkPublication, checkSlots } from './check-slot.ts'
import { checkSubscriptions } from './check-subscriptions.ts'
import { checkTransactions } from './check-transactions.ts'
import { attempt, type DoctorFinding, type Examination, fine } from './diagnosis.ts'

export interface DoctorOptions {
  /** Definitions to hold against the database. Default: none, and nothing is said of them. */
  readonly projections?: readonly AnyProjection[]
  /** An event that was committed this long ago must have a position. Default 5,000. */
  readonly graceMs?: number
  /** WAL that a slot of the log may keep. Default 1 GiB. */
  readonly maxRetainedBytes?: bigint
  /** Events that a subscription may be behind. Default 10,000. */
  readonly maxLag?: bigint
  /** Age of a transaction, open or prepared, in any database of the server. Default 300,000. */
  readonly maxTransactionAgeMs?: number
  /** Difference between the server's clock and ours. Default 5,000. */
  readonly maxClockSkewMs?: number
  /** This machine's clock, in milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number
  /** Ends the time of grace. */
  readonly signal?: AbortSignal
}

export interface DiagnoseOptions extends DoctorOptions {
  readonly connectionString: string
  /** Schema of the log. Default `tidemark`. */
  readonly schema?: string
}

export interface Diagnosis {
  /** At least one of each check that was made, also of those which found nothing wrong. */
  readonly findings: readonly DoctorFinding[]
}

type Limits = Required<DoctorOptions>

const defaults = {
  projections: [],
  graceMs: defaultGraceMs,
  maxRetainedBytes: 1024n ** 3n,
  maxLag: 10_000n,
  maxTransactionAgeMs: 300_000,
  maxClockSkewMs: 5_000,
  now: Date.now,
}

/**
 * Finds out what keeps a log from working, or will: looks at the server, its settings, the slot, who
 * leads and who is behind. Changes nothing. Says so when there is no log or when this user may not
 * see something; on a standby it says that, and no more about the log.
 *
 * Takes connections of its own, so that it works when a store's are all in use.
 *
 * @throws CONNECTION_FAILED, OPTION_INVALID, OPERATION_CANCELLED
 */
export async function diagnose(options: DiagnoseOptions): Promise<Diagnosis> {
  const { connectionString, schema, ...given } = options
  const limits = { ...defaults, signal: new AbortController().signal, ...given }
  const names = logNames(schema)
  const { facts, user } = await readServer(connectionString)
  const pool = createPool({ connectionString, applicationName: 'tidemark doctor', max: 1 })
  try {
    return { findings: await examine({ pool, connectionString, names, facts, user }, limits) }
  } finally {
    await pool.end()
  }
}

async function readServer(connectionString: string) {
  const client = await connect({ connectionString, applicationName: 'tidemark doctor' })
  try {
    const facts = await readServerFacts(client)
    const { rows } = await client.query<{ name: string }>('select current_user::text as name')
    return { facts, user: rows[0]?.name ?? '' }
  } finally {
    await client.end()
  }
}

async function examine(examination: Examination, limits: Limits): Promise<DoctorFinding[]> {
  const server = checkServer(examination.facts)
  if (server.some(({ severity }) => severity === 'error')) return server
  const log = await findLog(examination)
  return [
    ...server,
    checkWalLevel(examination.facts, 'mode' in log ? log.mode : 'wal'),
    await checkClock(examination, limits.maxClockSkewMs, limits.now),
    await checkPooler(examination),
    ...(await checkReplication(examination)),
    ...(await checkTransactions(examination, limits.maxTransactionAgeMs)),
    ...(await checkLocks(examination)),
    ...('check' in log ? [log] : await examineLog(examination, log, limits)),
  ]
}

async function examineLog(
  examination: Examination,
  state: SequencerState,
  limits: Limits,
): Promise<DoctorFinding[]> {
  const { pool, names } = examination
  const taken = await takeSnapshot(pool)
  const reader = names.roles.read
  return [
    fine('log', `the log in schema "${names.schema}" is at position ${state.position}`),
    ...(await attempt('cluster', examination, reader, async () => [
      await checkCluster(examination, state),
    ])),
    ...(await checkPrivileges(examination)),
    checkMode(examination, state),
    ...(state.mode === 'poll'
      ? []
      : [
          await checkPublication(examination, state),
          ...(await checkSlots(examination, state, limits.maxRetainedBytes)),
        ]),
    await checkLeader(examination),
    ...(await attempt('subscriptions', examination, reader, () =>
      checkSubscriptions(examination, limits.maxLag),
    )),
    ...(await attempt('projections', examination, reader, () =>
      checkProjections(examination, limits.projections),
    )),
    ...(await attempt('unsequenced', examination, reader, async () => [
      await checkUnsequenced(examination, taken, limits.graceMs, limits.signal),
    ])),
  ]
}
