import { Command } from 'commander'
import { TidemarkError } from '../../core/tidemark-error.ts'
import type { VerifyOptions, VerifyResult } from '../../sequencer/integrity/verify-log.ts'
import { findingsText, refuseDamage } from '../findings-text.ts'
import { formatCount } from '../format.ts'
import type { GlobalOptions } from '../global-options.ts'
import type { Host } from '../host.ts'
import { readOptionFile, readOptionJson } from '../option-file.ts'
import { logPosition, positiveInteger } from '../option-values.ts'
import { printResult } from '../print-result.ts'
import { showTitledProgress } from '../rebuild-progress.ts'
import { resolveTarget, withStore } from '../target.ts'

interface VerifyCommandOptions extends GlobalOptions {
  readonly from?: bigint
  readonly to?: bigint
  readonly checkpoint?: string
  readonly publicKey?: string
  readonly maxFindings?: number
}

/** `tidemark verify`: holds the log against its hash chain. */
export function verifyCommand(host: Host): Command {
  return new Command('verify')
    .description('hold every event against the hash chain: finds what was changed, and where first')
    .option('--from <position>', 'where to begin, as after an interruption', logPosition)
    .option('--to <position>', 'where to end', logPosition)
    .option('--checkpoint <file>', 'signed checkpoint that the log must agree with')
    .option('--public-key <file>', 'Ed25519 public key (PEM) of whoever signed the checkpoint')
    .option('--max-findings <n>', 'findings after which to stop (default: 100)', positiveInteger)
    .addHelpText('after', '\nExits with 6 when something is wrong.')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<VerifyCommandOptions>()
      const verification = await toVerification(host, options)
      const target = await resolveTarget(options, host)
      const progress = showTitledProgress(host, options, 'verify')
      const signal = host.stopSignals.listen(progress.announceStop)
      const result = await withStore(target, (store) =>
        store.verify({ ...verification, signal, onProgress: progress.show }).finally(progress.end),
      )
      printResult(host, options, result, verifyText)
      refuseDamage(result.findings)
    })
}

/** Says what a verification came to, for people. */
export function verifyText(result: VerifyResult): string {
  const { from, to, head, findings, isComplete } = result
  const range =
    to === 0n
      ? 'no event was held against a seal'
      : `positions ${formatCount(from)} to ${formatCount(to)} were held against their seals`
  const open = head > to ? `; the log goes on to position ${formatCount(head)}` : ''
  const rest = isComplete ? '' : '; stopped at the limit of findings'
  return [`${range}${open}${rest}`, findingsText(findings)].join('\n')
}

async function toVerification(host: Host, options: VerifyCommandOptions): Promise<VerifyOptions> {
  const { from, to, maxFindings } = options
  const checkpoint = await readCheckpoint(host, options)
  return {
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(maxFindings === undefined ? {} : { maxFindings }),
    ...(checkpoint === undefined ? {} : { checkpoint }),
  }
}

async function readCheckpoint(
  { cwd }: Host,
  { checkpoint, publicKey }: VerifyCommandOptions,
): Promise<VerifyOptions['checkpoint']> {
  if (checkpoint === undefined && publicKey === undefined) return undefined
  if (checkpoint === undefined || publicKey === undefined) throw needsBoth()
  return {
    signed: await readOptionJson(cwd, 'checkpoint', checkpoint),
    publicKey: await readOptionFile(cwd, 'public-key', publicKey),
  }
}

function needsBoth(): TidemarkError {
  const reason = '--checkpoint and --public-key go together'
  return new TidemarkError('OPTION_INVALID', `a signature needs its key: ${reason}`, {
    details: { option: 'checkpoint', reason },
  })
}
