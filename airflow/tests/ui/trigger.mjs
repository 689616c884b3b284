// What a person does: open the DAG, press Trigger, choose a table and a record limit, and see the run go green.
//   node trigger.mjs URL USER PASSWORD SCREENSHOT
import { chromium } from 'playwright-core';

const [url, user, password, screenshot] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-dev-shm-usage'],
});
const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
page.setDefaultTimeout(60_000);

const elsewhere = [];
page.on('request', (request) => {
  if (!request.url().startsWith(url) && /^https?:/.test(request.url())) elsewhere.push(request.url());
});

try {
  await page.goto(`${url}/auth/login`);
  await page.locator('input[name=username]').fill(user);
  await page.locator('input[name=password]').fill(password);
  await page.keyboard.press('Enter');
  await page.waitForURL((now) => !now.pathname.includes('login'));

  await page.goto(`${url}/dags/northwind_ingest`);
  await page.getByRole('button', { name: 'Trigger' }).first().click();
  const form = page.getByRole('dialog');
  await form.getByText('Record limit').waitFor();
  // The form's first number is the record limit, its first choice the tables.
  await form.getByRole('spinbutton').first().fill('100');
  await form.getByRole('combobox').first().click();
  await page.getByRole('option', { name: 'shippers', exact: true }).click();
  await form.getByRole('button', { name: 'Trigger' }).last().click();
  await form.waitFor({ state: 'hidden' });

  // The newest run is ours; what was chosen is in its conf.
  const token = await page.evaluate(async (login) => {
    const answer = await fetch('/auth/token', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(login) });
    return (await answer.json()).access_token;
  }, { username: user, password });
  const newest = () => page.evaluate(async (bearer) => {
    const answer = await fetch('/api/v2/dags/northwind_ingest/dagRuns?order_by=-id&limit=1&run_type=manual', { headers: { Authorization: `Bearer ${bearer}` } });
    return (await answer.json()).dag_runs[0];
  }, token);
  let run = await newest();
  if (run.conf.max_records !== 100 || String(run.conf.tables) !== 'shippers') throw new Error(`the form has sent ${JSON.stringify(run.conf)}`);
  for (let waited = 0; !['success', 'failed'].includes(run.state); waited += 1) {
    if (waited > 300) throw new Error(`the run is ${run.state} after five minutes`);
    await page.waitForTimeout(1000);
    run = await newest();
  }
  if (run.state !== 'success') throw new Error('the run is red');

  await page.goto(`${url}/dags/northwind_ingest/runs/${encodeURIComponent(run.dag_run_id)}`);
  await page.getByText('ingest_shippers').first().waitFor();
  await page.getByText('Success').first().waitFor();
  await page.waitForTimeout(2000); // the drawing settles
  await page.screenshot({ path: screenshot });
  if (elsewhere.length) throw new Error(`the pages have asked other machines: ${elsewhere}`);
  console.log('1 passed: the trigger form starts a run, and the run goes green');
} catch (error) {
  await page.screenshot({ path: screenshot.replace(/\.png$/, '-failed.png') });
  throw error;
} finally {
  await browser.close();
}
