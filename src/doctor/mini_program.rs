//! Checks whether WeChat accepts a Mini Program's AppID and AppSecret.

use super::check::{merge, within};
use super::{Check, Context, NO_CLIENT, Name};
use crate::config::MiniProgram;
use crate::error_chain::error_chain;
use crate::wechat::login::{InvalidLoginCode, LoginCode, LoginRefusal};
use crate::wechat::{Class, Client, Error};

/// A login code that WeChat never issued.
const FAKE_CODE: &str = "unionid-bridge-doctor";

pub(super) async fn examine(context: &Context<'_>, program: &MiniProgram) -> Check {
    let name = Name::LoginSecret;
    let check = match &context.client {
        Some(client) => merge(within(context.limit(), name, try_secret(client, program)).await),
        None => Check::skipped(name, NO_CLIENT),
    };
    check.about(&program.appid)
}

async fn try_secret(client: &Client, program: &MiniProgram) -> Result<Check, Check> {
    let name = Name::LoginSecret;
    let code: LoginCode = FAKE_CODE
        .parse()
        .map_err(|error: InvalidLoginCode| Check::skipped(name, error.to_string()))?;
    let Err(error) = client.code_to_session(&program.appid, &program.secret, &code).await else {
        let hint = "check wechat.base_url: the server there accepts any code";
        return Ok(Check::warn(name, "WeChat accepted a login code that it never issued", hint));
    };
    Ok(match error.login_refusal() {
        // WeChat checks the code only after the AppID and AppSecret.
        Some(LoginRefusal::InvalidCode | LoginRefusal::UsedCode | LoginRefusal::Blocked) => {
            Check::ok(name, "WeChat accepts the AppID and AppSecret")
        }
        Some(LoginRefusal::TooOften) => {
            Check::warn(name, error_chain(&error), "run `doctor` again in a minute")
        }
        None => refused(&error),
    })
}

fn refused(error: &Error) -> Check {
    let hint = match error.class() {
        Class::Config => "compare appid and secret with the Mini Program's console in WeChat",
        _ => "check that WeChat is reachable, and try again in a minute",
    };
    Check::fail(
        Name::LoginSecret,
        error_chain(error),
        error.hint().unwrap_or_else(|| hint.to_owned()),
    )
}
