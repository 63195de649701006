import { readFileSync } from 'node:fs'
import { TidemarkError } from '../../core/tidemark-error.ts'

/**
 * Reads the SQL that a projection brings along: itself, or the file of its URL.
 *
 * @throws DEFINITION_INVALID when the file cannot be read.
 */
export function ddlText({ name, ddl }: { readonly name: string; readonly ddl?: string | URL }) {
  if (!(ddl instanceof URL)) return ddl ?? ''
  try {
    return readFileSync(ddl, 'utf8')
  } catch (cause) {
    const reason = `its ddl cannot be read: ${(cause as Error).message}`
    throw new TidemarkError('DEFINITION_INVALID', `projection "${name}": ${reason}`, {
      details: { name, reason },
      cause,
    })
  }
}
