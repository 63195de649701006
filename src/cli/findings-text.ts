import { TidemarkError } from '../core/tidemark-error.ts'
import type { Finding } from '../sequencer/integrity/finding.ts'
import { formatCount, oneLine } from './format.ts'

/** Lists findings for people, one a line, each followed by what to do. */
export function findingsText(findings: readonly Finding[]): string {
  if (findings.length === 0) return 'nothing is wrong'
  return findings.map(findingText).join('\n')
}

function findingText(finding: Finding): string {
  const { kind, severity, position, streamId, version, message, remedy } = finding
  const places = [
    ...(position === null ? [] : [`position ${formatCount(position)}`]),
    ...(streamId === null ? [] : [`stream "${streamId}"`]),
    ...(version === null ? [] : [`version ${formatCount(version)}`]),
  ]
  const place = places.length === 0 ? '' : ` at ${places.join(', ')}`
  return oneLine(`${severity} ${kind}${place}: ${message}. ${remedy}`)
}

/**
 * Makes a command fail when something was found that cannot be innocent.
 *
 * @throws LOG_DAMAGED
 */
export function refuseDamage(findings: readonly Finding[]): void {
  const errors = findings.filter((finding) => finding.severity === 'error')
  const [first] = errors
  if (first === undefined) return
  const rest = errors.length === 1 ? '' : `, and ${errors.length - 1} more`
  throw new TidemarkError('LOG_DAMAGED', `${first.message}${rest}: ${first.remedy}`, {
    details: { findings: errors.length, position: first.position },
  })
}
