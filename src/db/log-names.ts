import { createHash } from 'node:crypto'
import { TidemarkError } from '../core/tidemark-error.ts'
import { isKeyword } from './keywords.ts'

/** The default schema of a log. */
export const defaultSchema = 'tidemark'

/** Names that belong to one log, derived from its schema so that several logs fit in a database. */
export interface LogNames {
  readonly schema: string
  /** NOTIFY channel that announces new positions. Channels are per database. */
  readonly channel: string
  /** Publications are per database. */
  readonly publication: string
  readonly roles: LogRoles
}

/**
 * The group roles of a log. Roles are per cluster: logs of one schema in several databases share them,
 * and each database grants what is its own.
 */
export interface LogRoles {
  /** Of applications that append. */
  readonly append: string
  /** Of readers. */
  readonly read: string
  /** Of workers. */
  readonly worker: string
}

/**
 * Derives the names of a log from its schema.
 *
 * @throws OPTION_INVALID when the schema's name needs quoting or is too long.
 */
export function logNames(schema: string = defaultSchema): LogNames {
  if (!/^[a-z_][a-z0-9_]{0,39}$/.test(schema) || schema.startsWith('pg_') || isKeyword(schema)) {
    const reason =
      'use a-z, 0-9 and _, at most 40 characters, no word of SQL, not starting with a digit or pg_'
    throw new TidemarkError('OPTION_INVALID', `schema "${schema}" is not usable: ${reason}`, {
      details: { option: 'schema', reason },
    })
  }
  return {
    schema,
    channel: `${schema}_log`,
    publication: `${schema}_log`,
    roles: { append: `${schema}_append`, read: `${schema}_read`, worker: `${schema}_worker` },
  }
}

/**
 * Slot names are unique in the whole cluster, so they carry a hash of database and schema; of the
 * database by its OID, which survives that it is renamed and which a copy of it does not have.
 */
export function slotPrefix(database: { readonly databaseOid: string }, schema: string): string {
  return `tidemark_${digest(`${database.databaseOid}\n${schema}`).toString('hex').slice(0, 12)}_`
}

/** Key of the advisory lock for a purpose within a log. Advisory locks are per database. */
export function advisoryLockKey(schema: string, purpose: string): bigint {
  return digest(`tidemark\n${schema}\n${purpose}`).readBigInt64BE(0)
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
