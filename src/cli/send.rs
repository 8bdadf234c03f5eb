//! `send`: one message to one person, as the API sends it, with or without a `serve` at work.

use std::time::Duration;

use clap::{ArgGroup, Args};
use tokio_util::sync::CancellationToken;

use super::texts::{Pair, texts};
use super::{Exit, Failure, Global, context, output};
use crate::app::App;
use crate::http::answer::MessageResponse;
use crate::model::{
    AppId, Attempt, Channel, Content, Jump, MessageId, MessageState, OpenId, TemplateId, UnionId,
};
use crate::push::{Accepted, MessageSpec, MessageView, Refusal, SendRequest};
use crate::resolve::User;

/// To whom, by whom, and what.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("user").required(true))]
pub(super) struct Send {
    /// The account that the openid is of, by name or AppID: a Mini Program or an Official Account
    #[arg(long, value_name = "ACCOUNT", requires = "openid")]
    from: Option<String>,
    /// The person, by openid
    #[arg(long, group = "user", requires = "from")]
    openid: Option<OpenId>,
    /// The person, by unionid
    #[arg(long, group = "user")]
    unionid: Option<UnionId>,
    /// The account that sends, by name or AppID: an Official Account sends a template message, a Mini
    /// Program a subscribe message; may be left out where one Official Account is configured
    #[arg(long, value_name = "ACCOUNT")]
    app: Option<String>,
    /// Which template, as `templates list` names it
    #[arg(long = "template", value_name = "ID")]
    template_id: TemplateId,
    /// The text of one of the template's keys; may be repeated
    #[arg(long = "data", value_name = "KEY=TEXT")]
    data: Vec<Pair>,
    /// The link that a tap on an Official Account's message opens
    #[arg(long)]
    url: Option<String>,
    /// The Mini Program that a tap on an Official Account's message opens, by name or AppID
    #[arg(long, value_name = "ACCOUNT")]
    mini_program: Option<String>,
    /// The page that a tap opens, of that Mini Program or of the one that sends
    #[arg(long, value_name = "PATH")]
    page: Option<String>,
    /// Seconds to wait for WeChat's answer
    #[arg(long, value_name = "S", default_value_t = 30)]
    wait: u64,
}

impl Send {
    pub(super) async fn run(self, global: &Global) -> Result<Exit, Failure> {
        let app = context::opened(global).await?;
        let patience = Duration::from_secs(self.wait);
        let request = self.request(&app)?;
        let accepted = app.push.accept(&[request], None, |_| String::new()).await?;
        let verdict = match accepted {
            Accepted::Now(verdicts) => verdicts.into_iter().next(),
            // Only what has an Idempotency-Key came before.
            Accepted::Before(_) => None,
        };
        match verdict {
            Some(Ok(id)) => sent(&app, &id, patience, global.json).await,
            Some(Err(refusal)) => Err(refused(refusal)),
            None => Ok(Exit::Failed),
        }
    }

    /// Refuses what the message would leave without a word: what a tap opens.
    fn refuse_unused(&self, channel: Channel) -> Result<(), Failure> {
        let (problem, hint) = match channel {
            Channel::Template if self.page.is_some() && self.mini_program.is_none() => (
                "--page is of no use without --mini-program",
                "name the Mini Program that the page is of",
            ),
            Channel::Subscribe if self.url.is_some() || self.mini_program.is_some() => (
                "a Mini Program's message opens that Mini Program: --url and --mini-program are of no use",
                "name the page with --page, or the Official Account that sends with --app",
            ),
            _ => return Ok(()),
        };
        Err(Failure::new(Exit::Usage, anyhow::anyhow!(problem), Some(hint.to_owned())))
    }

    fn request(self, app: &App) -> Result<SendRequest, Failure> {
        let config = &app.config;
        let sender = context::sender(config, self.app.as_deref())?;
        let is_official = config.official_accounts.iter().any(|known| known.appid == sender);
        let channel = if is_official { Channel::Template } else { Channel::Subscribe };
        self.refuse_unused(channel)?;
        let opened = self.mini_program.as_deref().map(|named| named_program(app, named));
        let data = texts(&self.data);
        let content = match (channel, opened.transpose()?) {
            (Channel::Template, Some(appid)) => Content {
                data,
                url: self.url,
                miniprogram: Some(Jump { appid, pagepath: self.page }),
                ..Content::default()
            },
            (Channel::Template, None) => Content { data, url: self.url, ..Content::default() },
            (Channel::Subscribe, _) => Content { data, page: self.page, ..Content::default() },
        };
        let to = match (self.from, self.openid, self.unionid) {
            (Some(from), Some(openid), _) => {
                User::OpenId { appid: context::account(config, &from)?, openid }
            }
            (_, _, Some(unionid)) => User::Unionid(unionid),
            // The command line has been checked: there is one or the other.
            _ => return Err(Failure::new(Exit::Failed, anyhow::anyhow!("nobody is named"), None)),
        };
        let (sender, template_id) = (Some(sender), self.template_id);
        Ok(SendRequest {
            to,
            message: MessageSpec { channel, sender, template_id, content },
            fallback: None,
        })
    }
}

/// A Mini Program that a tap opens: one of those configured by name, or any by its AppID.
fn named_program(app: &App, named: &str) -> Result<AppId, Failure> {
    match app.config.mini_program(named) {
        Ok(program) => Ok(program.appid.clone()),
        Err(unknown) => named.parse().map_err(|_| unknown.into()),
    }
}

/// Works on the queue until the message has left it.
async fn sent(app: &App, id: &MessageId, patience: Duration, json: bool) -> Result<Exit, Failure> {
    let stop = CancellationToken::new();
    let work = app.push.clone().work(stop.clone());
    let wait = async {
        let found = app.push.wait(id, patience).await;
        stop.cancel();
        found
    };
    let (found, ()) = tokio::join!(wait, work);
    let Some(shown) = found? else { return Ok(Exit::Failed) };
    print(&shown, json);
    Ok(match shown.state {
        MessageState::Sent | MessageState::Delivered => Exit::Done,
        _ if shown.is_open() => Exit::Paused,
        MessageState::Queued | MessageState::Failed | MessageState::Unknown => Exit::Failed,
    })
}

fn print(shown: &MessageView, json: bool) {
    if json {
        return output::json(&MessageResponse::from(shown.clone()));
    }
    output::data(format_args!("{} {}", shown.id, shown.state));
    if let Some(reason) = &shown.reason {
        output::talk(format_args!(
            "{reason}{}",
            said(shown.attempts.last().filter(|attempt| attempt.outcome == *reason))
        ));
    }
    match shown.state {
        MessageState::Queued => output::talk("it stays queued, and `serve` goes on with it"),
        MessageState::Unknown if shown.is_open() => output::talk(
            "WeChat may have taken it; it is sent again while WeChat suppresses a second copy, and \
             `serve` goes on with that",
        ),
        MessageState::Unknown => output::talk(
            "WeChat may have taken it: its receipt will tell, if callbacks are configured",
        ),
        _ => {}
    }
}

/// What WeChat said to the latest attempt.
fn said(attempt: Option<&Attempt>) -> String {
    match attempt {
        Some(Attempt { errcode: Some(errcode), errmsg: Some(said), .. }) => {
            format!(": {errcode} {said}")
        }
        Some(Attempt { errmsg: Some(said), .. }) => format!(": {said}"),
        _ => String::new(),
    }
}

fn refused(refusal: Refusal) -> Failure {
    let hint = refusal.hint().map(str::to_owned);
    let error = anyhow::anyhow!("{}: {refusal}", refusal.code());
    Failure::new(Exit::Failed, error, hint)
}
