import type pg from 'pg'
import { ask } from '../../sequencer/integrity/ask.ts'
import { type CheckName, type DoctorFinding, type Examination, fine, warning } from './diagnosis.ts'

interface Row {
  readonly keep_mb: number
  readonly max_slots: number
  readonly slots: number
  readonly max_senders: number
  readonly senders: number
}

/** Checks that the server has room for a slot and its sender, and bounds what a slot can keep. */
export async function checkReplication({ pool }: Examination): Promise<DoctorFinding[]> {
  const row = await ask(pool, readSettings)
  return [
    judgeKeepSize(row.keep_mb),
    judgeRoom('replication-slots', 'max_replication_slots', row.slots, row.max_slots),
    judgeRoom('wal-senders', 'max_wal_senders', row.senders, row.max_senders),
  ]
}

async function readSettings(client: pg.ClientBase): Promise<Row> {
  const { rows } = await client.query<Row>(/* sql */ `
    select
      (select setting::integer from pg_settings where name = 'max_slot_wal_keep_size') as keep_mb,
      current_setting('max_replication_slots')::integer as max_slots,
      (select count(*)::integer from pg_replication_slots) as slots,
      current_setting('max_wal_senders')::integer as max_senders,
      (select count(*)::integer from pg_stat_replication) as senders`)
  return rows[0] as Row
}

function judgeKeepSize(keepMb: number): DoctorFinding {
  if (keepMb >= 0) {
    return fine('wal-keep-size', `slots keep at most ${keepMb} MB of WAL (max_slot_wal_keep_size)`)
  }
  return warning(
    'wal-keep-size',
    'max_slot_wal_keep_size is unlimited: a slot that nobody reads fills the disk',
    'set it to less than the free space, such as: alter system set max_slot_wal_keep_size = ' +
      "'10GB'; select pg_reload_conf(); a slot that is lost by it is replaced exactly",
  )
}

/** One that is in use may be ours, so that all being in use is no error by itself. */
function judgeRoom(check: CheckName, setting: string, used: number, max: number): DoctorFinding {
  if (max === 0) {
    const reason = `${setting} is 0: workers cannot follow the WAL, and poll`
    return warning(check, reason, `raise ${setting} and restart the server`)
  }
  const reason = `${used} of ${max} are in use (${setting})`
  if (used < max) return fine(check, reason)
  return warning(
    check,
    `${reason}: a worker that needs another gets none`,
    `drop those that nobody needs, or raise ${setting} and restart the server`,
  )
}
