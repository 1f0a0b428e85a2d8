//! What every case stands on: a company, the project's own set-up of it, a bot with a key of
//! its own, a customer, a product. Made when a run begins, put away when it ends.
//!
//! Read next: [`super::shop`] (what there is to pay), [`super::ask`] (what the bot does).

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use concilia_shared::config::Environment;
use concilia_shared::id::CheckoutId;
use concilia_shared::secret::Secret;
use concilia_worker::clock::{Clock as _, SystemClock};
use concilia_worker::domain::name::{ObjectId, PaymentName};
use concilia_worker::domain::observe::NewsQuery;
use concilia_worker::odoo::Odoo;
use concilia_worker::odoo::client::Client;
use concilia_worker::odoo::setup::{SetupReport, SetupRequest, setup};
use concilia_worker::odoo::transport::{Args, Endpoint, Rpc};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use rand::RngExt;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::office::Office;
use super::{Options, company};

/// Longest one call may take: loading a chart of accounts takes its time.
const CALL_LIMIT: Duration = Duration::from_mins(2);

/// When nothing has been written yet.
pub const FAR: &str = "2100-01-01T00:00:00Z";

/// What every case stands on.
#[derive(Debug)]
pub struct Bench {
    /// What everything of this run is named by.
    pub run: String,
    /// Odoo's series.
    pub series: u64,
    /// The company worked in.
    pub company: i64,
    /// Whether it was made for this run: only then its settings may be changed.
    pub own_company: bool,
    /// The administrator, in that company.
    pub office: Office,
    /// The bot.
    pub bot: Endpoint,
    /// The bot's client.
    pub client: Client,
    /// A Chilean end consumer.
    pub partner: i64,
    /// A product without taxes.
    pub product: i64,
    /// When the run began, by Odoo's clock.
    pub begun: Timestamp,
    /// The address without a slash at its end.
    pub url: String,
    former: Option<Former>,
    manager: OnceCell<i64>,
    employees: Mutex<Vec<i64>>,
    second: OnceCell<i64>,
    key_file: PathBuf,
    _folder: tempfile::TempDir,
}

/// The bot that booked here before, and the members of its group.
#[derive(Debug)]
struct Former {
    bot: Option<i64>,
    members: Vec<i64>,
}

impl Bench {
    /// Lays the ground.
    pub(super) async fn open(options: &Options) -> Result<Self> {
        // The provider may be there already: then this changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let run = run_id();
        let admin = Endpoint {
            url: options.url.clone(),
            database: options.database.clone(),
            login: options.login.clone(),
            key: options.key.clone(),
            transport: options.transport,
            timeout: CALL_LIMIT,
        };
        let rpc = Arc::new(Rpc::new(admin.clone())?);
        let anywhere = Office { rpc, company: options.company.unwrap_or(1) };
        let series = series(&anywhere).await?;
        let former = former(&anywhere, series, options.pause_bot).await?;
        let company = match options.company {
            Some(company) => company,
            None => company::make(&anywhere, &format!("Concilia conformance {run}")).await?,
        };
        let office = anywhere.of(company);
        let folder = tempfile::tempdir().context("a folder for the bot's key")?;
        let key_file = folder.path().join("bot.key");
        let login = format!("concilia-conformance-{run}");
        let request = request(company, &login, Some(key_file.clone()));
        setup(&office.rpc, &request).await.map_err(|why| anyhow!("odoo setup: {why}"))?;
        let key = std::fs::read_to_string(&key_file).context("the bot's key")?;
        let bot = Endpoint { login, key: Secret::new(key.trim()), ..admin };
        let client = Client::new(bot.clone(), company)?;
        let partner = partner(&office, &run).await?;
        let product = json!({
            "name": format!("Artículo {run}"), "type": "consu", "invoice_policy": "order",
            "taxes_id": [[6, 0, []]],
        });
        let product = office.create("product.product", product).await?;
        let begun = clock(&client).await?;
        Ok(Self {
            run,
            series,
            company,
            own_company: options.company.is_none(),
            office,
            bot,
            client,
            partner,
            product,
            begun,
            url: options.url.trim_end_matches('/').to_owned(),
            former,
            manager: OnceCell::new(),
            employees: Mutex::new(Vec::new()),
            second: OnceCell::new(),
            key_file,
            _folder: folder,
        })
    }

    /// The reference of a case's order: different in each run.
    pub fn reference(&self, case: &str) -> String {
        format!("{}-{case}", self.run)
    }

    /// The checkout of a case.
    pub fn checkout(&self, case: &str) -> CheckoutId {
        CheckoutId::parse(format!("chk_{}-{case}", self.run))
            .unwrap_or_else(|_| unreachable!("names of cases are letters and dashes"))
    }

    /// The name a case's payment is booked under.
    pub fn payment(&self, case: &str) -> PaymentName {
        PaymentName::of_checkout(&self.checkout(case))
    }

    /// Today where the shop is.
    pub fn today(&self) -> Date {
        let zone = TimeZone::get("America/Santiago").unwrap_or(TimeZone::UTC);
        self.begun.to_zoned(zone).date()
    }

    /// The day everything is paid on, unless a case says otherwise: three days ago, so that a
    /// payment dated by the clock is seen.
    pub fn day(&self) -> Date {
        self.days_ago(3)
    }

    /// So many days before today.
    pub fn days_ago(&self, days: i64) -> Date {
        self.today().saturating_sub(days.days())
    }

    /// The set-up once more.
    ///
    /// # Errors
    /// When it does not get to its end.
    pub async fn set_up(&self, company: i64) -> Result<SetupReport> {
        let request = request(company, &self.bot.login, Some(self.key_file.clone()));
        setup(&self.office.rpc, &request).await.map_err(|why| anyhow!("odoo setup: {why}"))
    }

    /// A second company with a provider of its own, made when the first case asks.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn second_company(&self) -> Result<i64> {
        let make = async || {
            let name = format!("Concilia conformance {} (2)", self.run);
            let second = company::make(&self.office, &name).await?;
            self.set_up(second).await?;
            Ok::<_, anyhow::Error>(second)
        };
        self.second.get_or_try_init(make).await.copied()
    }

    /// An accounting manager of this company, made when the first case asks.
    ///
    /// # Errors
    /// When Odoo refuses.
    pub async fn manager(&self) -> Result<i64> {
        let make = async || {
            let (login, _) = self.employee("manager", "account", "group_account_manager").await?;
            self.office.first("res.users", json!([["login", "=", login]])).await
        };
        self.manager.get_or_try_init(make).await.copied()
    }

    /// Somebody with a password and the rights of one group of Odoo's: login and password.
    ///
    /// # Errors
    /// When Odoo refuses.
    pub async fn employee(
        &self,
        name: &str,
        module: &str,
        group: &str,
    ) -> Result<(String, String)> {
        let found = self.office.external(module, group).await?;
        let group = found.with_context(|| format!("Odoo has no group {module}.{group}"))?;
        let groups = if self.series >= 19 { "group_ids" } else { "groups_id" };
        let login = self.reference(name);
        let password: String = (0..4).map(|_| run_id()).collect();
        let mut member = vec![group];
        if module != "base" {
            member.extend(self.office.external("base", "group_user").await?);
        }
        let values = json!({
            "name": login, "login": login, "email": format!("{login}@concilia.invalid"),
            "password": password, "company_id": self.company,
            "company_ids": [[6, 0, [self.company]]], groups: [[6, 0, member]],
        });
        let args =
            Args::none().with("vals_list", json!([values])).context("no_reset_password", true);
        let made = self.office.call("res.users", "create", args).await?;
        let user = made[0].as_i64().context("the user has no id")?;
        self.employees.lock().unwrap_or_else(PoisonError::into_inner).push(user);
        Ok((login, password))
    }

    /// Open activities on a record.
    ///
    /// # Errors
    /// When Odoo refuses.
    pub async fn activities(&self, model: &str, id: i64) -> Result<Vec<Value>> {
        let args = Args::none()
            .with("domain", json!([["res_model", "=", model], ["res_id", "=", id]]))
            .with("fields", json!(["user_id", "summary", "date_deadline", "activity_type_id"]));
        let rows = self.office.call("mail.activity", "search_read", args).await?;
        Ok(rows.as_array().cloned().unwrap_or_default())
    }

    /// The id of an object of Ventipay's in a case: `dp_`run`-`case.
    ///
    /// # Errors
    /// When it can be none.
    pub fn object(&self, prefix: &str, case: &str) -> Result<ObjectId> {
        let id = format!("{prefix}_{}-{case}", self.run);
        ObjectId::parse(&id).with_context(|| format!("{id} is no id"))
    }

    /// The second company, if a case asked for it.
    pub fn second_if_made(&self) -> Option<i64> {
        self.second.get().copied()
    }

    /// Puts away what was made, as far as Odoo lets one: keys gone, bot and companies archived,
    /// and whoever booked here before back in the group.
    pub(super) async fn close(self) -> Result<()> {
        let bots = self.office.rows("res.users", json!([["login", "=", self.bot.login]]), &["id"]);
        let bot = bots.await?.first().and_then(|row| row["id"].as_i64());
        if let Some(bot) = bot {
            self.forget_keys(bot).await?;
            let groups = if self.series >= 19 { "group_ids" } else { "groups_id" };
            let group = self.office.ours("group_bot").await?;
            let values = json!({"active": false, groups: [[3, group]]});
            self.office.write("res.users", bot, values).await?;
        }
        let employees = self.employees.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for employee in employees {
            self.office.write("res.users", employee, json!({"active": false})).await?;
        }
        if let Some(former) = &self.former {
            former.put_back(&self.office).await?;
        }
        self.office.write("product.product", self.product, json!({"active": false})).await?;
        self.office.write("res.partner", self.partner, json!({"active": false})).await?;
        if let Some(second) = self.second.get() {
            company::put_away(&self.office, *second).await?;
        }
        if self.own_company {
            company::put_away(&self.office, self.company).await?;
        }
        Ok(())
    }

    /// Odoo lets nobody delete another user's keys over the API; an action that lives for one
    /// call does.
    async fn forget_keys(&self, bot: i64) -> Result<()> {
        let domain = json!([["model", "=", "res.users"]]);
        let model = self.office.first("ir.model", domain).await?;
        let code = format!(
            "env['res.users.apikeys'].with_user({bot}).sudo().search([('user_id', '=', {bot})]).unlink()"
        );
        let administrators = self.office.external("base", "group_system").await?;
        let groups = if self.series >= 19 { "group_ids" } else { "groups_id" };
        let values = json!({
            "name": "Concilia: forget keys", "model_id": model, "state": "code", "code": code,
            groups: [[6, 0, [administrators]]],
        });
        let action = self.office.create("ir.actions.server", values).await?;
        let args = Args::on(&[action]).context("active_model", "res.users");
        let ran = self.office.call("ir.actions.server", "run", args).await;
        self.office.unlink("ir.actions.server", action).await?;
        ran.map(drop)
    }
}

impl Former {
    async fn put_back(&self, office: &Office) -> Result<()> {
        let group = office.ours("group_bot").await?;
        let fields = json!(["type"]);
        let about =
            office.call("res.groups", "fields_get", Args::none().with("attributes", fields));
        let users = if about.await?.get("user_ids").is_some() { "user_ids" } else { "users" };
        let links: Vec<Value> = self.members.iter().map(|member| json!([4, member])).collect();
        office.write("res.groups", group, json!({users: links})).await?;
        if let Some(bot) = self.bot {
            let domain = json!([["module", "=", "concilia"], ["name", "=", "user_bot"]]);
            let row = office.first("ir.model.data", domain).await?;
            office.write("ir.model.data", row, json!({"res_id": bot})).await?;
        }
        Ok(())
    }
}

/// Six letters and digits that no other run has.
fn run_id() -> String {
    const LETTERS: &[u8] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut random = rand::rng();
    (0..6).map(|_| char::from(LETTERS[random.random_range(0..LETTERS.len())])).collect()
}

async fn series(admin: &Office) -> Result<u64> {
    let domain = json!([["name", "=", "base"]]);
    let rows = admin.rows("ir.module.module", domain, &["latest_version"]).await?;
    let version = rows.first().and_then(|row| row["latest_version"].as_str()).unwrap_or_default();
    let digits = version.trim_start_matches("saas~").split('.').next().unwrap_or_default();
    digits.parse().with_context(|| format!("Odoo's version {version:?} does not read"))
}

/// Who books here already. Booking through another bot means taking the first one out of its
/// group: that is asked for, or not done.
async fn former(admin: &Office, series: u64, pause: bool) -> Result<Option<Former>> {
    let Some(group) = admin.external("concilia", "group_bot").await? else { return Ok(None) };
    let users = if series >= 19 { "user_ids" } else { "users" };
    let members = admin.read("res.groups", group, &[users]).await;
    let Ok(members) = members else { return Ok(None) };
    let domain = json!([["id", "in", members[users]], ["active", "=", true]]);
    let rows = admin.rows("res.users", domain, &["login"]).await?;
    let Some(first) = rows.first() else { return Ok(None) };
    if !pause {
        bail!(
            "Concilia is set up in this database already, with the bot {}: during the run it could not book. \
             Run the suite on a copy of the database, or give --pause-bot and it is put back at the end.",
            first["login"].as_str().unwrap_or_default()
        );
    }
    let members = rows.iter().filter_map(|row| row["id"].as_i64()).collect();
    Ok(Some(Former { bot: admin.external("concilia", "user_bot").await?, members }))
}

fn request(company_id: i64, login: &str, bot_key_file: Option<PathBuf>) -> SetupRequest {
    SetupRequest {
        company_id,
        environment: Environment::Test,
        bot_login: login.to_owned(),
        bot_password: None,
        bot_email: None,
        journal_code: None,
        bot_key_file,
        now: SystemClock.now(),
    }
}

async fn partner(office: &Office, run: &str) -> Result<i64> {
    let chile = office.first("res.country", json!([["code", "=", "CL"]])).await?;
    let domain = json!([["name", "=", "RUT"], ["country_id", "=", chile]]);
    let rut = office.first("l10n_latam.identification.type", domain).await?;
    let values = json!({
        "name": format!("Cliente {run}"), "email": "cliente@concilia.invalid", "country_id": chile,
        "vat": "12345678-5", "l10n_latam_identification_type_id": rut,
        "l10n_cl_sii_taxpayer_type": "3",
    });
    office.create("res.partner", values).await
}

/// Odoo's clock.
async fn clock(client: &Client) -> Result<Timestamp> {
    let since = FAR.parse().context("a literal")?;
    let query = NewsQuery { since, fields: Vec::new(), domain: None };
    client.news(&query).await?.until.context("Odoo told no time")
}
