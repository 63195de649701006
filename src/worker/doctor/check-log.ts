import { isTidemarkError } from '../../core/tidemark-error.ts'
import { quoteIdent } from '../../db/quote-ident.ts'
import { isAtHome } from '../../sequencer/incarnation.ts'
import { ask } from '../../sequencer/integrity/ask.ts'
import { readSequencer, type SequencerState } from '../../sequencer/sequencer-state.ts'
import { type DoctorFinding, type Examination, failure, fine, warning } from './diagnosis.ts'

/** Reads the sequencer's row, or says why there is none to read. */
export async function findLog({
  pool,
  names,
  user,
}: Examination): Promise<SequencerState | DoctorFinding> {
  try {
    return await ask(pool, (client) => readSequencer(client, names.schema))
  } catch (error) {
    if (isTidemarkError(error, 'SCHEMA_NOT_INSTALLED')) {
      const reason = `there is no log in schema "${names.schema}"`
      return failure('log', reason, 'run `tidemark migrate`, or name another schema')
    }
    if (isTidemarkError(error, 'PRIVILEGE_MISSING')) {
      const reason = `"${user}" may not read the log in schema "${names.schema}"`
      return failure('log', reason, `grant ${names.roles.read} to ${quoteIdent(user)}`)
    }
    throw error
  }
}

/** Checks that the log is where it was: not copied or restored, or into another cluster. */
export async function checkCluster(
  { facts, pool, names }: Examination,
  state: SequencerState,
): Promise<DoctorFinding> {
  const remedy =
    'run `tidemark migrate`, or a worker: it begins an incarnation and continues the order; stop those ' +
    'of the other cluster'
  if (!(await ask(pool, (client) => isAtHome(client, names)))) {
    const reason = 'the log was restored or copied here, and not begun since: it takes no appends'
    return failure('cluster', reason, remedy)
  }
  if (facts.systemIdentifier !== state.systemIdentifier) {
    const reason =
      'the log comes from another cluster, as after an upgrade, and no worker has run since'
    return warning('cluster', reason, remedy)
  }
  return fine('cluster', `incarnation ${state.incarnation}, of this cluster`)
}

interface PrivilegesRow {
  readonly sequences: boolean
  readonly replicates: boolean
  readonly creates: boolean
  readonly database: string
}

/** Checks what a worker needs that connects as this user. Others may run as others. */
export async function checkPrivileges(examination: Examination): Promise<DoctorFinding[]> {
  const { pool, names, user } = examination
  const row = await ask(pool, (client) => readPrivileges(client, names.schema))
  const name = quoteIdent(user)
  const missing = [
    ...(row.sequences ? [] : [lacks('write the ledger', `grant ${names.roles.worker} to ${name}`)]),
    ...(row.replicates
      ? []
      : [lacks('stream from the WAL', `alter role ${name} replication, or its service's role`)]),
    ...(row.creates
      ? []
      : [
          lacks(
            'create schemas of projections',
            `grant create on database ${quoteIdent(row.database)} to ${name}`,
          ),
        ]),
  ]
  if (missing.length > 0) return missing
  return [fine('privileges', `"${user}" may do what a worker does`)]

  function lacks(what: string, remedy: string): DoctorFinding {
    return warning('privileges', `a worker that connects as "${user}" may not ${what}`, remedy)
  }
}

async function readPrivileges(
  client: Parameters<typeof readSequencer>[0],
  schema: string,
): Promise<PrivilegesRow> {
  const { rows } = await client.query<PrivilegesRow>(
    /* sql */ `
    select
      (
        select coalesce(bool_or(has_function_privilege(p.oid, 'execute')), false)
        from pg_proc as p
        join pg_namespace as n on n.oid = p.pronamespace
        where n.nspname = $1
          and p.proname = 'sequence_commits'
      ) as sequences,
      r.rolsuper or r.rolreplication or exists (
        -- Amazon RDS gives the right to replicate by a role.
        select
        from pg_roles as s
        where s.rolname = 'rds_replication'
          and pg_has_role(s.oid, 'usage')
      ) as replicates,
      has_database_privilege(current_database(), 'create') as creates,
      current_database()::text as database
    from pg_roles as r
    where r.rolname = current_user`,
    [schema],
  )
  return rows[0] as PrivilegesRow
}
