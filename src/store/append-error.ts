import { TidemarkError } from '../core/tidemark-error.ts'
import { logNames } from '../db/log-names.ts'
import { sqlstate, sqlstateOf } from '../db/sqlstate.ts'

/**
 * Turns what the server says of an append into an error with a code. What has none of its own,
 * such as a lost connection, comes back as it is.
 */
export function appendError(error: unknown, schema: string): unknown {
  const reason = error instanceof Error ? error.message : String(error)
  switch (sqlstateOf(error)) {
    case sqlstate.undefinedTable:
    case sqlstate.undefinedFunction:
    case sqlstate.invalidSchemaName:
      return new TidemarkError(
        'SCHEMA_NOT_INSTALLED',
        `schema "${schema}" has no tidemark log of this release: run \`tidemark migrate\``,
        { details: { schema }, cause: error },
      )
    case sqlstate.untranslatableCharacter:
    case sqlstate.characterNotInRepertoire:
    case sqlstate.invalidTextRepresentation:
    case sqlstate.numericValueOutOfRange:
    case sqlstate.programLimitExceeded:
      return new TidemarkError('APPEND_INVALID', `the server refuses the events: ${reason}`, {
        details: { reason },
        cause: error,
      })
    case sqlstate.logMoved:
      return new TidemarkError(
        'LOG_MOVED',
        `the log in schema "${schema}" was restored or copied here and has not been begun: ` +
          'run `tidemark migrate`, or a worker, and append again',
        { details: { schema }, cause: error },
      )
    case sqlstate.projectionNotApplied:
      return projectionNotApplied(error, reason)
    case sqlstate.insufficientPrivilege:
      return mayNotAppend(error, reason, schema)
    case sqlstate.appendInvalid:
      return new TidemarkError('APPEND_INVALID', `invalid append: ${reason}`, {
        details: { reason },
        cause: error,
      })
    case sqlstate.uniqueViolation:
      if (!raced.includes(constraintOf(error))) return error
      return new TidemarkError(
        'TRANSACTION_STALE',
        'another writer appended to the stream, or under the key, since this transaction took its snapshot: ' +
          'begin the transaction anew',
        { details: { reason }, cause: error },
      )
    default:
      return error
  }
}

/** Says why events could not be appended together with an inline projection, with the server's remedy. */
function projectionNotApplied(cause: unknown, reason: string): TidemarkError {
  const { detail = '{}', hint = '' } = cause as { detail?: string; hint?: string }
  const { projection = '', version = 0 } = JSON.parse(detail)
  const remedy = hint.charAt(0).toLowerCase() + hint.slice(1).replace(/\.$/, '')
  return new TidemarkError('PROJECTION_NOT_APPLIED', `${reason}: ${remedy}`, {
    details: { projection, version, reason },
    cause,
  })
}

function mayNotAppend(cause: unknown, reason: string, schema: string): TidemarkError {
  const operation = `append to the log in schema "${schema}"`
  const remedy = `grant ${logNames(schema).roles.append} to this user`
  return new TidemarkError(
    'PRIVILEGE_MISSING',
    `this user may not ${operation} (${reason}): ${remedy}`,
    { details: { operation, remedy }, cause },
  )
}

/** Rows that only a stale snapshot can fail to see, because writers hold locks on what they name. */
const raced: readonly unknown[] = ['events_stream_id_version_key', 'append_keys_pkey']

function constraintOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'constraint' in error
    ? error.constraint
    : null
}
