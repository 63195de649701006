import { pause } from '../../../src/db/wait.ts'
import { setLedgerFailpoint } from '../ledger-failpoint.ts'
import type { Fault, FaultContext } from './fault-context.ts'

/** Faults of the server and of its replication slots. */
export const serverFaults = {
  'server restarted at once': async ({ server }) => {
    await server.postgres.restart('immediate')
    return true
  },

  'server restarted in good order': async ({ server }) => {
    await server.postgres.restart('fast')
    return true
  },

  /** Commits wait for a standby that never comes. The WAL has them, and nobody sees them. */
  'replication stalled': async ({ server, random, signal }) => {
    await setServer(server, "synchronous_standby_names = 'nobody'")
    await pause(random.between(300, 3_000), signal)
    await release(server)
    return true
  },

  'slot dropped': async (context) => (await dropSlot(context)) !== undefined,

  /**
   * Somebody makes a slot of the same name, which knows nothing of what was in the old one. Often while
   * no worker leads.
   */
  'slot made again': async (context) => {
    const { workers, random } = context
    const leader = workers.choose(random, true)
    if (leader !== undefined && random.chance(0.7)) workers.kill(leader)
    const name = await dropSlot(context)
    if (name === undefined) return false
    await context.server.pool
      .query("select pg_create_logical_replication_slot($1, 'pgoutput')", [name])
      .catch(() => {}) // a worker was first
    return true
  },

  /** The server gives a slot up that keeps more WAL than it is allowed to. */
  'slot invalidated': async ({ server }) => {
    const { pool } = server
    await setServer(server, "max_slot_wal_keep_size = '1MB'")
    try {
      for (let segment = 0; segment < 3; segment += 1) {
        await pool.query("insert into faults.unrelated (filler) values ('segment')")
        await pool.query('select pg_switch_wal()')
      }
      await pool.query('checkpoint')
      const { rows } = await pool.query(
        "select from pg_replication_slots where wal_status = 'lost' or invalidation_reason is not null",
      )
      return rows.length > 0
    } finally {
      await setServer(server, "max_slot_wal_keep_size = '-1'")
    }
  },

  /** For a while, whoever writes the ledger may die or stand still just before it commits. */
  'ledger commits at risk': async ({ server, random, signal }) => {
    const chances = { kill: random.between(10, 200) / 1_000, stall: random.between(0, 50) / 1_000 }
    await setLedgerFailpoint(server.pool, chances)
    await pause(random.between(1_000, 4_000), signal)
    await untilDone(() => setLedgerFailpoint(server.pool, { kill: 0, stall: 0 }))
    return true
  },
} as const satisfies Record<string, Fault>

/** Drops the slot that is trusted, whoever streams from it. @returns its name. */
async function dropSlot({ server, signal }: FaultContext): Promise<string | undefined> {
  const { rows } = await server.pool.query<{ name: string }>(
    'select slot_name as name from tidemark.sequencer where slot_name is not null',
  )
  const name = rows[0]?.name
  if (name === undefined) return undefined
  for (let attempt = 0; attempt < 20 && !signal.aborted; attempt += 1) {
    try {
      // In one go, so that no worker comes in between.
      const { rowCount } = await server.pool.query(
        /* sql */ `
        select pg_drop_replication_slot(slot_name)
        from (
          select slot_name, active_pid is null or pg_terminate_backend(active_pid, 1000) as is_free
          from pg_replication_slots
          where slot_name = $1
          offset 0
        ) as s
        where is_free`,
        [name],
      )
      return rowCount === 1 ? name : undefined
    } catch {
      await pause(20, signal)
    }
  }
  return undefined
}

type Server = FaultContext['server']

async function setServer({ pool }: Server, setting: string): Promise<void> {
  await pool.query(`alter system set ${setting}`)
  await pool.query('select pg_reload_conf()')
}

/** Whatever else happens to the server, its commits have to go on. */
async function release(server: Server): Promise<void> {
  await untilDone(() => setServer(server, "synchronous_standby_names = ''"))
}

async function untilDone(action: () => Promise<unknown>): Promise<void> {
  const limit = AbortSignal.timeout(30_000)
  for (;;) {
    try {
      await action()
      return
    } catch (error) {
      if (!(await pause(100, limit))) throw error
    }
  }
}
