import { brokenSettings, type Control, controls } from './controls.ts'
import { type FaultArguments, parseArguments } from './parse-arguments.ts'
import { formatFound, formatProgress, formatResult } from './report.ts'
import { type RunOptions, runFaults } from './run.ts'
import { usualSettings } from './run-settings.ts'

/**
 * Runs the product with faults of every kind and checks that nothing was lost, repeated or reordered;
 * or, as a control, a broken product, and checks that this is found out. See docs/reliability.md.
 *
 *     npm run test:faults -- --seed 7 --minutes 20
 *     npm run test:faults -- --control order-by-xid     # one control; --controls: all of them
 *     npm run test:faults -- --controls --spared        # all but what each is named after: has to hold
 *
 * Exits with 0 when everything held, or when each control failed as it should; with 1 otherwise, with 2
 * when the arguments are wrong, with 130 when it was interrupted.
 */

const interrupted = new AbortController()
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.once(name, () => interrupted.abort(name))
}

// What was broken off may still be trying to reach its server.
process.exit(await main(process.argv.slice(2)))

async function main(args: readonly string[]): Promise<number> {
  let asked: FaultArguments
  try {
    const names = controls.map(({ name }) => name)
    asked = parseArguments(args, names, Date.now() % 1e9)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    console.error(error.message)
    return 2
  }
  try {
    const chosen = controls.filter(({ name }) => asked.controls.includes(name))
    return chosen.length > 0 ? await runControls(chosen, asked) : await runProduct(asked)
  } catch (error) {
    if (!interrupted.signal.aborted) throw error
    console.error('interrupted')
    return 130
  }
}

async function runProduct(asked: FaultArguments): Promise<number> {
  const { seed, minutes, workers } = asked
  console.log(`seed ${seed}, ${minutes} minutes, ${workers} workers`)
  const result = await runFaults(optionsOf(asked, { settings: usualSettings }), interrupted.signal)
  console.log(formatResult(result))
  if (result.found.isEmpty) return 0
  const command = `npm run test:faults -- --seed ${seed} --minutes ${minutes} --workers ${workers}`
  console.log(`FAILED. The same choices, though not at the same moments: ${command}`)
  return 1
}

async function runControls(chosen: readonly Control[], asked: FaultArguments): Promise<number> {
  const verdicts: boolean[] = []
  for (const control of chosen) {
    const { name, breaks, rules } = control
    console.log(asked.spared ? `all but ${name}` : `${name}: ${breaks}`)
    const settings = asked.spared ? control.settings : brokenSettings(control)
    const options = optionsOf(asked, { settings, until: rules })
    const { found, seconds } = await runFaults(options, interrupted.signal)
    const isRight = found.hasAny(rules) !== asked.spared
    verdicts.push(isRight)
    const outcome = found.hasAny(rules) ? 'failed' : 'held'
    const verdict = `${outcome}${isRight ? ', as it should,' : ' AND SHOULD NOT HAVE'}`
    console.log(`${name} ${verdict} after ${seconds.toFixed(1)} s: ${formatFound(found)}\n`)
  }
  return verdicts.every(Boolean) ? 0 : 1
}

function optionsOf(
  { seed, minutes, workers }: FaultArguments,
  rest: Pick<RunOptions, 'settings' | 'until'>,
): RunOptions {
  const onProgress: RunOptions['onProgress'] = (progress) => console.log(formatProgress(progress))
  return { seed, minutes, workers, onProgress, ...rest }
}
