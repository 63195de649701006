import { TidemarkError } from '../../core/tidemark-error.ts'
import { sqlstate, sqlstateOf } from '../../db/sqlstate.ts'
import { appendError } from '../append-error.ts'

/** Turns what the server says of an import into an error with a code, as {@link appendError} does. */
export function importError(error: unknown, schema: string): unknown {
  if (sqlstateOf(error) !== sqlstate.insufficientPrivilege) return appendError(error, schema)
  const operation = `import into the log in schema "${schema}"`
  const remedy = 'import as the owner of the log'
  return new TidemarkError('PRIVILEGE_MISSING', `this user may not ${operation}: ${remedy}`, {
    details: { operation, remedy },
    cause: error,
  })
}
