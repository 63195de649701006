import Table from 'cli-table3'
import { TidemarkError } from '../core/tidemark-error.ts'
import type { Diagnosis } from '../worker/doctor/diagnose.ts'
import type { DoctorFinding } from '../worker/doctor/diagnosis.ts'
import { oneLine } from './format.ts'

/** Writes a diagnosis for people: a table of all checks, then what to do, the errors first. */
export function diagnosisText({ findings }: Diagnosis): string {
  const table = new Table({
    head: ['check', 'severity', 'reason'],
    style: { head: [], border: [], compact: true },
  })
  table.push(...findings.map((f) => [f.check, f.severity, oneLine(f.reason)]))
  const remedies = [...ofSeverity(findings, 'error'), ...ofSeverity(findings, 'warning')]
  if (remedies.length === 0) return `${table}\nnothing is wrong`
  return [`${table}`, ...remedies.map(remedyText)].join('\n')
}

/**
 * Makes the command fail when an error was found.
 *
 * @throws LOG_UNHEALTHY
 */
export function refuseIllness({ findings }: Diagnosis): void {
  const errors = ofSeverity(findings, 'error')
  const [first] = errors
  if (first === undefined) return
  const rest = errors.length === 1 ? '' : `, and ${errors.length - 1} more`
  throw new TidemarkError('LOG_UNHEALTHY', `${first.reason}${rest}: ${first.remedy}`, {
    details: { errors: errors.length, check: first.check },
  })
}

function ofSeverity(
  findings: readonly DoctorFinding[],
  severity: DoctorFinding['severity'],
): DoctorFinding[] {
  return findings.filter((finding) => finding.severity === severity)
}

function remedyText({ check, severity, remedy }: DoctorFinding): string {
  return oneLine(`${severity} ${check}: ${remedy}`)
}
