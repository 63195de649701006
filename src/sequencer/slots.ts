import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { keepAliveDelayMs } from '../db/connect.ts'
import { quoteIdent } from '../db/quote-ident.ts'
import { processIdOf, socketOf } from '../db/session/client-internals.ts'
import { type Lsn, parseLsn } from './lsn.ts'

/** A replication slot of this log, as the server describes it. */
export interface Slot {
  readonly name: string
  readonly plugin: string
  readonly confirmedLsn: Lsn
  /** `reserved`, `extended`, `unreserved` or `lost`. */
  readonly walStatus: string
  /** Process that streams from it. */
  readonly activePid: number | null
}

/** A slot that was made just now, with the snapshot of everything that its stream leaves out. */
export interface NewSlot {
  readonly name: string
  readonly consistentLsn: string
  /** Snapshot name, valid until {@link NewSlot.release}. */
  readonly snapshotName: string
  /** Ends the connection that holds the snapshot. The slot stays. */
  release(): Promise<void>
}

interface SlotRow {
  readonly slot_name: string
  readonly plugin: string
  readonly confirmed: string | null
  readonly wal_status: string | null
  readonly active_pid: number | null
}

/** How long the making of a slot waits for the transactions that are open. */
const creationLockTimeoutMs = 60_000

/** How often a process that streams from a slot is told to end, and how long that is waited for. */
const terminationAttempts = 10
const terminationTimeoutMs = 500

/** How long a connection on which a slot was made may be silent. The slot's snapshot holds back vacuum. */
const creationSilenceMs = 60_000

/** Lists the slots of this log in this database: the trusted one and any that a crash left over. */
export async function listSlots(client: pg.ClientBase, prefix: string): Promise<readonly Slot[]> {
  const { rows } = await client.query<SlotRow>(
    /* sql */ `
    select
      slot_name::text, plugin::text, confirmed_flush_lsn::text as confirmed, wal_status, active_pid
    from pg_replication_slots
    where starts_with(slot_name::text, $1)
      and database = current_database()
      and slot_type = 'logical'`,
    [prefix],
  )
  return rows.map((row) => ({
    name: row.slot_name,
    plugin: row.plugin,
    confirmedLsn: row.confirmed === null ? 0n : parseLsn(row.confirmed),
    walStatus: row.confirmed === null ? 'lost' : (row.wal_status ?? 'lost'),
    activePid: row.active_pid,
  }))
}

/**
 * Makes a slot under a name that no other attempt has used, and exports its snapshot. Waits for
 * every open transaction that has written, prepared ones too.
 *
 * @throws the server's 55P03 when such a transaction stays open for a minute.
 */
export async function createSlot(
  connectionString: string,
  prefix: string,
  versionNumber: number,
  control: { readonly client: pg.ClientBase; readonly signal: AbortSignal },
): Promise<NewSlot> {
  const name = `${prefix}${randomBytes(6).toString('hex')}`
  const client = new pg.Client({
    connectionString,
    application_name: 'tidemark sequencer (new slot)',
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: keepAliveDelayMs,
    replication: 'database',
    options:
      `-c lock_timeout=${creationLockTimeoutMs} ` +
      `-c idle_in_transaction_session_timeout=${creationSilenceMs}`,
  } as pg.ClientConfig)
  client.on('error', () => {})
  const cut = () => void cutOff(control.client, client)
  control.signal.addEventListener('abort', cut, { once: true })
  try {
    await client.connect()
    const { rows } = await client.query<{ consistent_point: string; snapshot_name: string }>(
      `CREATE_REPLICATION_SLOT ${quoteIdent(name)} LOGICAL pgoutput ${slotOptions(versionNumber)}`,
    )
    const row = rows[0]
    if (row === undefined) throw new Error('the server made a slot and described nothing')
    return {
      name,
      consistentLsn: row.consistent_point,
      snapshotName: row.snapshot_name,
      release: () => client.end(),
    }
  } catch (error) {
    await client.end().catch(() => {})
    throw error
  } finally {
    control.signal.removeEventListener('abort', cut)
  }
}

/**
 * The replication grammar knows its keywords in upper case only. From version 17 on a standby may be set
 * to keep a copy of the slot, so that none has to be made after a failover.
 */
function slotOptions(versionNumber: number): string {
  if (versionNumber >= 170_000) return "(SNAPSHOT 'export', FAILOVER true)"
  return versionNumber >= 150_000 ? "(SNAPSHOT 'export')" : 'EXPORT_SNAPSHOT'
}

/** While the server waits for open transactions it hears nothing from us: another session ends it. */
async function cutOff(control: pg.ClientBase, waiting: pg.Client): Promise<void> {
  const processId = processIdOf(waiting)
  if (processId !== null) {
    await control.query('select pg_terminate_backend($1)', [processId]).catch(() => {})
  }
  socketOf(waiting).destroy()
}

/**
 * Ends whoever still streams from a slot, such as a leader that lost its other connection. One whose
 * client does not read has to be told twice: first it wants to say goodbye, and waits for the network.
 */
export async function releaseSlot(client: pg.ClientBase, slot: Slot): Promise<void> {
  if (slot.activePid === null) return
  for (let attempt = 0; attempt < terminationAttempts; attempt += 1) {
    const { rows } = await client.query<{ has_ended: boolean }>(
      /* sql */ `
      select pg_terminate_backend(active_pid, $3) as has_ended
      from pg_replication_slots
      where slot_name = $1 and active_pid = $2`,
      [slot.name, slot.activePid, terminationTimeoutMs],
    )
    if (rows[0]?.has_ended !== false) return
  }
}

/** Drops a slot, first ending whoever streams from it. */
export async function dropSlot(client: pg.ClientBase, slot: Slot): Promise<void> {
  await releaseSlot(client, slot)
  await client.query('select pg_drop_replication_slot($1)', [slot.name])
}
